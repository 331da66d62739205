from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.engine import worklist
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.uri import S3Uri

KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
TRANSFERS = st.lists(st.builds(lambda a, b: Transfer(S3Uri("in", a), S3Uri("out", b)), KEYS, KEYS), max_size=8)


@given(TRANSFERS, st.integers(0, 9), st.integers(0, 9))
def test_any_part_of_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, transfers: list[Transfer], first: int, most: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "worklist" / "objects.jsonl"

    assert worklist.write(path, transfers) == len(transfers)
    assert list(worklist.read(path)) == transfers
    assert list(worklist.read(path, first, most)) == transfers[first : first + most]


def test_nothing_is_read_where_nothing_was_kept(tmp_path: Path) -> None:
    assert list(worklist.read(tmp_path / "objects.jsonl")) == []
