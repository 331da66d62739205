"""What a page of the documentation shows of a run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Page:
    """A page, read when it is asked."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    def says(self, sentence: str) -> bool:
        """Tell whether it has a sentence, wherever its lines break."""
        return sentence in " ".join(self.text.split())

    def shows(self, rows: pd.DataFrame, **digits: int) -> bool:
        """Tell whether it has these rows as a table; numbers of a column with so many digits behind the point."""
        table = "\n".join(map(_row, [rows.columns, ["---"] * len(rows.columns), *_cells(rows, digits)]))
        assert table in self.text, f"{self.path} lacks\n{table}"
        return True

    def csv(self, title: str) -> np.ndarray:
        """Give the numbers of the block of CSV below a title, without the ellipses among them."""
        [block] = re.findall(rf"`{re.escape(title)}`[^`]*```csv\n(.*?)```", self.text, re.DOTALL)
        return np.array([[float(cell) for cell in line.split(",") if cell != "..."] for line in block.splitlines()])


def _cells(rows: pd.DataFrame, digits: dict[str, int]) -> list[list[str]]:
    return [
        [f"{value:.{digits[name]}f}" if name in digits else str(value) for name, value in row.items()]
        for row in rows.to_dict("records")
    ]


def _row(cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"  # type: ignore[call-overload]
