"""What the pages of the documentation show, to be run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def shown(page: str, language: str) -> list[str]:
    """Give the blocks of a language on a page, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
