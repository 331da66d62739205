"""How large the shards of a source are to be, by what its first rows look like."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from airflow_batchtx.planning import sharding as planning
from airflow_batchtx.planning.sharding import Sharding, ShardWishes, sharding
from airflow_batchtx.preparation.cutting import Write
from airflow_batchtx.preparation.rows import Rows


def sized(parts: Iterator[Rows], total: int, wishes: ShardWishes, write: Write) -> tuple[Sharding, Iterator[Rows]]:
    """Plan shards, and give all rows back; `total` is the size of the source in bytes.

    The first rows are written once more where that tells something: the same source is always cut alike.
    """
    first = next(parts, None) if wishes.job_is_known else None
    if first is None:
        return sharding(wishes, planning.Rows(size=total)), parts
    text = bytes(write(first))
    whole = planning.Rows(
        size=len(text) * total // max(first.end - first.begin, 1),
        count=len(first) if first.end == total else None,
        longest=max(map(len, text.splitlines()), default=0),
    )
    return sharding(wishes, whole), chain((first,), parts)
