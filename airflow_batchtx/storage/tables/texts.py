"""Lines put together out of columns of text, by Arrow alone: no loop of Python goes over the rows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# Width in bytes of the offsets of a column of text.
_OFFSET = 4
# Of so many values at most this part differs if the whole column holds about four of each.
_SAMPLE, _DIFFERENT, _ALIKE = 2048, 0.85, 4


def column_of(texts: Sequence[str]) -> Any:
    """Make a column of a few texts. A list that becomes one by itself makes pyarrow import pandas, 50 MB of it."""
    bodies = [text.encode() for text in texts]
    ends = accumulate(map(len, bodies), initial=0)
    offsets = b"".join(end.to_bytes(_OFFSET, sys.byteorder) for end in ends)
    return pa.StringArray.from_buffers(len(bodies), pa.py_buffer(offsets), pa.py_buffer(b"".join(bodies)))


def repeated(text: str, count: int) -> Any:
    """Make a column of a text as often as asked."""
    return pa.repeat(column_of((text,))[0], count)


@cache
def constant(text: str) -> Any:
    """Give a text as Arrow's scalar."""
    return column_of((text,))[0]


def text_of(column: Any) -> Any:
    """Write every value as text; floating numbers, which take longest, once each where few of them differ."""
    if not (pa.types.is_floating(column.type) and _repeats(column)):
        return column.cast(pa.string())
    encoded = column.dictionary_encode()
    return encoded.dictionary.cast(pa.string()).take(encoded.indices)


def _repeats(column: Any) -> bool:
    """Judge by the first values whether so many are alike that it is worth finding them: about four of each."""
    if len(column) < _SAMPLE * _ALIKE:
        return False
    return len(column.slice(0, _SAMPLE).dictionary_encode().dictionary) < _DIFFERENT * _SAMPLE


def put_together(*parts: Any) -> Any:
    """Join texts row by row, constants among them; a row is null where one of its parts is."""
    join: Any = pc.binary_join_element_wise
    return join(*(constant(part) if isinstance(part, str) else part for part in parts), constant(""))


def doubled(texts: Any, mark: str) -> Any:
    """Put two marks in the place of each."""
    return pc.replace_substring(texts, mark, mark * 2)


def body_of(texts: Any) -> pa.Buffer:
    """Give the bytes of a column of text as they lie one after the other, without a copy; it holds no slice."""
    _, offsets, body = texts.buffers()
    if body is None:
        return pa.py_buffer(b"")
    found: pa.Buffer = body.slice(0, _offset(offsets, len(texts)))
    return found


def marks_in(texts: Any, marks: bytes) -> bytes:
    """Tell which of some bytes are in a column of text, far faster than by looking at each of its texts."""
    _, offsets, body = texts.buffers()
    if body is None or not len(texts):
        return b""
    begin, end = _offset(offsets, texts.offset), _offset(offsets, texts.offset + len(texts))
    data = body.slice(begin, end - begin).to_pybytes()
    return bytes(mark for mark in marks if data.find(mark) >= 0)


def _offset(offsets: pa.Buffer, at: int) -> int:
    return int.from_bytes(memoryview(offsets)[at * _OFFSET : (at + 1) * _OFFSET], sys.byteorder)
