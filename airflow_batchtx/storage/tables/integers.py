"""Columns of whole numbers made of Python's: a list that becomes a column by itself makes pyarrow import pandas."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

import pyarrow as pa


def integers(numbers: Iterable[int]) -> Any:
    """Make a column of int64."""
    packed = array("q", numbers)
    return pa.Array.from_buffers(pa.int64(), len(packed), [None, pa.py_buffer(packed)])
