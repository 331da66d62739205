"""The body of a message, opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Body = str | bytes | Mapping[str, Any]


def opened(body: Body) -> Mapping[str, Any]:
    """Read the JSON object that a message holds, out of SNS's envelope where it has one; ValueError for any other."""
    said = _parsed(body)
    if isinstance(said, Mapping) and said.get("Type") == "Notification" and isinstance(said.get("Message"), str):
        said = _parsed(said["Message"])
    if not isinstance(said, Mapping):
        raise ValueError("is no JSON object")  # noqa: TRY004 - one error for all that is no message
    return said


def _parsed(body: Body) -> Any:
    if isinstance(body, Mapping):
        return body
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
