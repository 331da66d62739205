"""The cases of tests/golden, for all tests that run them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden"
Case = dict[str, Any]


def cases(folder: str = "data-processing") -> Iterator[Case]:
    """Give every case of a folder, with a `name` that no other has."""
    for file in sorted((GOLDEN / folder).glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8")):
            yield {**case, "name": f"{file.stem}-{case['id']}"}


def as_bytes(written: str | dict[str, str]) -> bytes:
    return written.encode() if isinstance(written, str) else base64.b64decode(written["base64"])
