"""What an associate task writes, on any tables: no row is lost, and who writes it makes no difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batchtx.errors import RowCountMismatch, TooManyDeadLetters
from tests.fakes import InMemoryStore
from tests.scored import OUTPUT, Scored

# A row is its id, what it is parted by, and the answer to it.
Row = tuple[int, str | None, str]
ids = st.integers(-(2**63), 2**63 - 1)
groups = st.none() | st.sampled_from(["a", "b/c", "", "é=", "%"])
answers = st.sampled_from(["1", "0.5", "-3e2", "nine", "x,y", '"', "007"])
rows = st.tuples(ids, groups, answers)
pairs = st.lists(st.lists(rows, min_size=1, max_size=6), min_size=1, max_size=5)
layouts = st.fixed_dictionaries(
    {
        "format": st.sampled_from(["parquet", "csv", "jsonlines"]),
        "partition_by": st.sampled_from([(), ("group",), ("group", "score")]),
        "predictions": st.sampled_from([{"score": "double"}, {"score": "string"}]),
    }
)


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"') else cell


def scored(found: Sequence[Sequence[Row]], store: InMemoryStore | None = None) -> Scored:
    kept = [
        pa.table(
            {
                "id": pa.array([row[0] for row in part], pa.int64()),
                "group": pa.array([row[1] for row in part], pa.string()),
            }
        )
        for part in found
    ]
    told = ["".join(f"{quoted(row[2])}\n" for row in part).encode() for part in found]
    return Scored([b"x\n" * len(part) for part in found], told, kept, store=store or InMemoryStore(buckets=["b"]))


def dead_of(found: Sequence[Sequence[Row]], options: dict[str, Any]) -> list[tuple[int, int]]:
    """Give which rows are dead, by pair and place, in the plainest way."""
    if options["predictions"]["score"] == "string":
        return []
    odd = {"nine", "x,y", '"', "007"}
    return [(number, at) for number, part in enumerate(found) for at, row in enumerate(part, 1) if row[2] in odd]


@settings(deadline=None, max_examples=150)
@given(pairs, layouts)
def test_every_row_is_in_the_table_or_among_the_dead(found: list[list[Row]], options: dict[str, Any]) -> None:
    job = scored(found)
    output = job.associate(max_dead=1.0, **options)
    dead = dead_of(found, options)

    assert output.rows + output.dead_rows == sum(map(len, found))
    assert [(row["_input"], row["_record"]) for row in job.dead()] == [(str(job.source(at)), row) for at, row in dead]
    assert [row["id"] for row in job.dead()] == [found[at][row - 1][0] for at, row in dead]
    told = [row["id"] for row in job.rows()]
    live = [row[0] for at, part in enumerate(found) for place, row in enumerate(part, 1) if (at, place) not in dead]
    assert (told == live) if not options["partition_by"] else (sorted(told) == sorted(live))
    manifest = job.manifest()
    assert (manifest.rows, manifest.dead_rows) == (output.rows, output.dead_rows)


@settings(deadline=None, max_examples=100)
@given(pairs, pairs, layouts, layouts, st.integers(1, 4), st.data())
def test_who_writes_it_and_what_lay_there_makes_no_difference(
    found: list[list[Row]],
    earlier: list[list[Row]],
    options: dict[str, Any],
    others: dict[str, Any],
    shares: int,
    data: st.DataObject,
) -> None:
    once = scored(found)
    once.associate(max_dead=1.0, **options)

    store = InMemoryStore(buckets=["b"])
    scored(earlier, store).associate(max_dead=1.0, **others)
    for uri in [uri for uri in store.bodies if not str(uri).startswith(OUTPUT)]:
        store.delete([uri])
    again = scored(found, store)
    numbers = data.draw(st.permutations(range(1, shares + 1)))
    for number in [*numbers, *data.draw(st.lists(st.sampled_from(numbers), max_size=2))]:
        again.associate(max_dead=1.0, share=f"{number}/{shares}", **options)
    assert again.bodies() == once.bodies()

    again.associate(max_dead=1.0, **options)
    assert again.bodies() == once.bodies()


@settings(deadline=None, max_examples=50)
@given(pairs, layouts, st.integers(0, 4))
def test_there_are_never_more_dead_rows_than_may_be(
    found: list[list[Row]], options: dict[str, Any], allowed: int
) -> None:
    job = scored(found)
    dead = dead_of(found, options)
    if len(dead) <= allowed or not allowed:
        return
    with pytest.raises(TooManyDeadLetters) as caught:
        job.associate(max_dead=allowed, **options)

    assert (caught.value.dead, caught.value.rows) == (len(dead), sum(map(len, found)))
    assert len(job.dead()) == len(dead)
    assert {name.partition("/")[0] for name in job.bodies()} == {"_dead_letters", "_writing.json"}


@settings(deadline=None, max_examples=50)
@given(pairs, layouts, st.data())
def test_a_line_too_few_or_too_many_is_found_in_every_layout(
    found: list[list[Row]], options: dict[str, Any], data: st.DataObject
) -> None:
    job = scored(found)
    at = data.draw(st.integers(0, len(found) - 1))
    body = job.store.get(job.target(at))
    spoiled = data.draw(st.sampled_from([body + b"1\n", b"1\n" + body, b"".join(body.splitlines(keepends=True)[1:])]))
    job.store.put(job.target(at), spoiled)

    with pytest.raises(RowCountMismatch):
        job.associate(max_dead=1.0, **options)
    assert job.bodies() == {}
