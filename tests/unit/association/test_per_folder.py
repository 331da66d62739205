"""A table for each folder that a job's inputs lie in."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.per_folder import folder_of
from airflow_batchtx.association.request import check
from airflow_batchtx.errors import InvalidInput, OutputMissing, RowCountMismatch, StaleOutput
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore
from tests.scored import Scored


@dataclass
class Days(Scored):
    """A job over days, with two objects a day, each of two rows; the first of its days is the `first`."""

    first: int = 1
    region: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.result["input"] = "s3://b/in/"

    def source(self, number: int) -> S3Uri:
        return S3Uri("b", f"in/{self._path(number)}")

    def target(self, number: int) -> S3Uri:
        return S3Uri("b", f"out/{self._path(number)}.out")

    def _path(self, number: int) -> str:
        return f"{self.region}day=2026-01-{self.first + number // 2:02}/{number % 2}.csv"

    def run(self, **options: Any) -> Any:
        return self.associate(**{"table_per": "day", "input_columns": ["id"], "predictions": ["score"], **options})

    def table(self, day: int) -> list[tuple[int, int]]:
        parts = [body for name, body in self.bodies(f"day=2026-01-{day:02}/").items() if name.endswith(".parquet")]
        rows = [row for body in parts for row in pq.read_table(io.BytesIO(body)).to_pylist()]
        return [(row["id"], row["score"]) for row in rows]

    def times(self, day: int) -> dict[str, Any]:
        return {
            uri.key: when for uri, when in self.store.modified.items() if f"scored/day=2026-01-{day:02}/" in uri.key
        }


def job(days: int, first: int = 1, store: InMemoryStore | None = None, **others: Any) -> Days:
    """Rows are numbered through the days, from 10 times the day on; the answer is ten times the number."""
    starts = [10 * (first + number // 2) + number % 2 * 2 for number in range(2 * days)]
    return Days(
        inputs=[b"%d\n%d\n" % (start, start + 1) for start in starts],
        answers=[b"%d\n%d\n" % (start * 10, start * 10 + 10) for start in starts],
        store=store or InMemoryStore(buckets=["b"]),
        first=first,
        **others,
    )


def rows_of(day: int) -> list[tuple[int, int]]:
    return [(number, number * 10) for number in range(10 * day, 10 * day + 4)]


@pytest.mark.parametrize("recorded", [False, True])
def test_each_folder_has_a_table_of_its_own(recorded: bool) -> None:
    days = job(3)
    if recorded:
        days.on_record()

    output = days.run()

    assert [days.table(day) for day in (1, 2, 3)] == [rows_of(day) for day in (1, 2, 3)]
    assert set(days.bodies()) == {
        f"day=2026-01-0{day}/{name}"
        for day in (1, 2, 3)
        for name in ("_SUCCESS", "_manifest.json", "part-00000.parquet", "part-00001.parquet")
    }
    assert (output.output, output.manifest) == ("s3://b/scored/", None)
    assert (output.tables, output.rows, output.parts, output.columns) == (3, 12, 6, ("id", "score"))


def test_a_table_is_what_a_job_of_its_day_alone_gives() -> None:
    range_, day = job(2), job(1, first=2)
    range_.run()
    day.run(table_per=None, output="s3://b/scored/day=2026-01-02/")

    parts = ("day=2026-01-02/part-00000.parquet", "day=2026-01-02/part-00001.parquet")
    assert [range_.bodies()[part] for part in parts] == [day.bodies()[part] for part in parts]


def test_tables_of_other_folders_stay() -> None:
    early = job(2)
    early.run()
    untouched, replaced = early.times(1), early.times(2)
    early.store.now += timedelta(hours=1)
    late = job(2, first=2, store=early.store)
    # What answers the days now; nothing of the first day belongs to this job.
    for number in range(2):
        del early.store.bodies[early.source(number)]

    late.run()

    assert early.times(1) == untouched
    assert early.times(2) != replaced
    assert [late.table(day) for day in (1, 2, 3)] == [rows_of(day) for day in (1, 2, 3)]


def test_a_rerun_takes_away_what_a_day_had_more_of() -> None:
    days = job(1)
    days.run()
    del days.store.bodies[days.source(1)], days.store.bodies[days.target(1)]

    days.run()

    assert sorted(days.bodies()) == [
        f"day=2026-01-01/{name}" for name in ("_SUCCESS", "_manifest.json", "part-00000.parquet")
    ]


def test_what_somebody_else_wrote_into_a_day_is_refused_and_stays() -> None:
    days = job(1)
    foreign = S3Uri("b", "scored/day=2026-01-01/part-00007.parquet")
    days.store.put(foreign, b"theirs")

    with pytest.raises(InvalidInput, match="no associate task wrote it for this table"):
        days.run()
    assert days.store.get(foreign) == b"theirs"


@pytest.mark.parametrize(
    ("first", "then", "named"),
    [
        (["day"], None, r"scored/day=2026-01-01/part-00000"),
        (None, ["day"], r"scored/_manifest\.json"),
        (["region", "day"], ["region"], r"scored/region=eu/day=2026-01-01/part-00000"),
        (["region"], ["region", "day"], r"scored/region=eu/_manifest\.json"),
    ],
)
def test_tables_within_each_other_are_refused_and_nothing_is_touched(
    first: list[str] | None, then: list[str] | None, named: str
) -> None:
    days = job(2, region="region=eu/")
    days.run(table_per=first)
    before = days.bodies()

    with pytest.raises(InvalidInput, match=named):
        days.run(table_per=then)
    assert days.bodies() == before


def test_an_input_in_no_folder_is_named_and_nothing_is_written() -> None:
    days = job(1)
    days.store.put(S3Uri("b", "in/loose.csv"), b"1\n")
    days.store.put(S3Uri("b", "out/loose.csv.out"), b"10\n")

    with pytest.raises(InvalidInput, match=r"in/loose\.csv.*day="):
        days.run()
    assert not days.bodies()


def test_all_days_are_proved_before_the_first_is_written() -> None:
    days = job(2)
    del days.store.bodies[days.target(3)]

    with pytest.raises(OutputMissing):
        days.run()
    assert not days.bodies()


def test_a_day_that_cannot_be_written_leaves_those_before_it() -> None:
    days = job(3)
    days.store.put(days.target(2), b"1\n")

    with pytest.raises(RowCountMismatch):
        days.run()

    assert days.table(1) == rows_of(1)
    assert {name.partition("/")[0] for name in days.bodies()} == {"day=2026-01-01"}


def test_a_change_while_a_day_is_read_is_found_out() -> None:
    days = job(2)
    days.on_record()
    moved: list[S3Uri] = []

    def told(done: int, total: int) -> None:
        # The first day has been written, the second one is being read.
        if done == total and not moved:
            moved.append(days.target(3))
            days.store.put(days.target(3), b"0\n0\n")

    with pytest.raises(StaleOutput):
        associate(days.store, days.request(table_per="day", input_columns=["id"]), progress=told)
    assert {name.partition("/")[0] for name in days.bodies()} == {"day=2026-01-01"}


def test_progress_goes_over_all_days() -> None:
    days, seen = job(3), []
    associate(days.store, days.request(table_per=["day"], input_columns=["id"]), progress=lambda *now: seen.append(now))

    total = sum(len(body) for body in days.answers if body is not None)
    assert [now[1] for now in seen] == [total] * 6
    assert all(one[0] < other[0] for one, other in pairwise(seen))
    assert seen[-1] == (total, total)


def test_a_column_of_the_folders_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="names of folders"):
        job(1).run(input_columns=["day"])


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"table_per": "day", "share": "1/2", "predictions": {"score": "double"}}, "table_per"),
        ({"table_per": "day", "partition_by": ["day"]}, "partition_by"),
        ({"table_per": "day=2026-01-01"}, "table_per"),
        ({"table_per": ["lake/day"]}, "table_per"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check({"result": job(1).result, "output": "s3://b/scored/", **options})
    assert [problem.field for problem in caught.value.problems] == [field]


@pytest.mark.parametrize(
    ("key", "names", "folder"),
    [
        ("in/day=1/a.csv", ("day",), "day=1/"),
        ("day=1/a.csv", ("day",), "day=1/"),
        ("in/region=eu/day=1/map-00000/a.csv", ("day", "region"), "day=1/region=eu/"),
        ("day=1/day=2/a.csv", ("day",), "day=2/"),
        ("in/day=a%2Fb=c/x", ("day",), "day=a%2Fb=c/"),
        ("in/day=1.csv", ("day",), None),
        ("in/days=1/a.csv", ("day",), None),
        ("in/region=eu/a.csv", ("day", "region"), None),
    ],
)
def test_folders_are_those_of_the_path(key: str, names: tuple[str, ...], folder: str | None) -> None:
    assert folder_of(S3Uri("b", key), names) == folder
