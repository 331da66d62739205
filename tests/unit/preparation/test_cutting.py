"""Rows in pieces of shards, against the plainest way to cut them."""

from __future__ import annotations

from itertools import groupby

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.sharding import Sharding
from airflow_batchtx.preparation.cutting import numbered
from airflow_batchtx.preparation.rows import Rows
from airflow_batchtx.storage.tables import csv_text

TEXTS = st.text('ab,"é', max_size=5)


def as_rows(parts: list[list[str]]) -> list[Rows]:
    """Make batches of a source in which each row has a byte."""
    made, before = [], 0
    for part in parts:
        model = pa.RecordBatch.from_pydict({"x": part})
        kept = pa.RecordBatch.from_pydict({"k": list(range(before, before + len(part)))})
        made.append(Rows("s3://b/x", before + 1, model, kept, before, before + len(part)))
        before += len(part)
    return made


class Writer:
    """Counts how often a row is written."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, part: Rows) -> pa.Buffer:
        self.rows += len(part)
        return csv_text.lines(part.model)


@given(
    parts=st.lists(st.lists(TEXTS, min_size=1, max_size=20), min_size=1, max_size=5),
    most=st.integers(1, 60),
    rows=st.none() | st.integers(1, 9),
    least=st.integers(1, 6),
)
def test_rows_are_cut_but_nothing_else_happens_to_them(
    parts: list[list[str]], most: int, rows: int | None, least: int
) -> None:
    source, write = as_rows(parts), Writer()
    total = sum(map(len, source))
    plan = Sharding(shard_bytes=most, shard_rows=rows, min_shards=least, reasons=())

    pieces = list(numbered(source, total, plan, write))

    expected = b"".join(bytes(csv_text.lines(part.model)) for part in source)
    assert b"".join(bytes(piece.lines) for _, piece in pieces) == expected
    assert [key for _, piece in pieces if piece.kept for key in piece.kept["k"].to_pylist()] == list(range(total))
    assert all(bytes(piece.lines).count(b"\n") == piece.rows == len(piece.kept or ()) for _, piece in pieces)
    shards = [(n, [piece for _, piece in same]) for n, same in groupby(pieces, key=lambda pair: pair[0])]
    assert [n for n, _ in shards] == list(range(len(shards)))
    assert len(shards) >= min(least, total)
    for _, same in shards:
        count = sum(piece.rows for piece in same)
        assert count == 1 or sum(len(piece.lines) for piece in same) <= most
        assert rows is None or count <= rows


@given(st.lists(TEXTS, min_size=1, max_size=40), st.integers(1, 60))
def test_no_row_is_written_twice(part: list[str], most: int) -> None:
    write = Writer()
    plan = Sharding(shard_bytes=most, shard_rows=None, min_shards=1, reasons=())

    list(numbered(as_rows([part]), len(part), plan, write))

    assert write.rows == len(part)
