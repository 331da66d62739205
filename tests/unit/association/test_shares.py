from __future__ import annotations

from itertools import permutations
from typing import Any

import pyarrow as pa
import pytest

from airflow_batchtx.errors import AssociationError, InvalidInput, RowCountMismatch, StorageError, TooManyDeadLetters
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore
from tests.scored import Scored, parquet_of

COUNT = 5
SCORE = {"score": "double"}


def scored(count: int = COUNT, store: InMemoryStore | None = None) -> Scored:
    inputs = [b"x\n" * (number + 1) for number in range(count)]
    answers = [b"%d.5\n" % number * (number + 1) for number in range(count)]
    kept = [pa.table({"id": [f"{number}-{row}" for row in range(number + 1)]}) for number in range(count)]
    return Scored(inputs, answers, kept, store=store or InMemoryStore(buckets=["b"]))


def whole(**options: Any) -> dict[str, bytes]:
    job = scored()
    job.associate(predictions=SCORE, **options)
    return job.bodies()


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_shares_in_any_order_give_the_bytes_of_one_run(order: tuple[int, ...]) -> None:
    job = scored()
    for number in order:
        assert "_SUCCESS" not in job.bodies()
        output = job.associate(predictions=SCORE, share=f"{number}/3")
        assert output.share == f"{number}/3"
        assert output.parts == (2, 2, 1)[number - 1]

    assert job.bodies() == whole()


def test_partitions_in_shares_give_the_bytes_of_one_run() -> None:
    job = scored()
    for number in (2, 1):
        job.associate(predictions=SCORE, share=f"{number}/2", partition_by=["score"])

    assert job.bodies() == whole(partition_by=["score"])


def test_more_shares_than_inputs_do_no_harm() -> None:
    job = scored()
    for number in range(1, 9):
        job.associate(predictions=SCORE, share=f"{number}/8")

    assert job.bodies() == whole()


def test_while_a_share_is_written_anew_the_table_is_open() -> None:
    class Looking(InMemoryStore):
        seen = True

        def put(self, uri: S3Uri, body: bytes, **options: Any) -> str:
            if uri.name.startswith("part-") and uri.key.startswith("scored/"):
                self.seen = S3Uri("b", "scored/_SUCCESS") in self.bodies
            return super().put(uri, body, **options)

    store = Looking(buckets=["b"])
    job = scored(store=store)
    for number in (1, 2, 2):
        job.associate(predictions=SCORE, share=f"{number}/2")
        assert not store.seen
    assert job.bodies() == whole()


def test_a_rerun_of_all_shares_gives_the_same_bytes() -> None:
    job = scored()
    for number in (1, 2, 1, 2):
        job.associate(predictions=SCORE, share=f"{number}/2")

    assert job.bodies() == whole()


def test_shares_of_other_work_do_not_count() -> None:
    job = scored()
    job.associate(predictions=SCORE, share="1/2")
    job.store.put(job.target(0), b"7\n")
    job.associate(predictions=SCORE, share="2/2")
    assert "_SUCCESS" not in job.bodies()

    job.associate(predictions=SCORE, share="1/2")

    assert "_SUCCESS" in job.bodies()
    assert job.rows()[0]["score"] == 7


def test_shares_of_rows_that_were_kept_anew_do_not_count() -> None:
    job = scored()
    for number in (1, 2):
        job.associate(predictions=SCORE, share=f"{number}/2")
    # Prepared anew: what the model was sent is the same, and so are its answers, but not what stands beside them.
    for number in range(COUNT):
        kept = pa.table({"id": [f"new {number}-{row}" for row in range(number + 1)]})
        job.store.put(S3Uri("b", f"in/kept/part-{number:05}.parquet"), parquet_of(kept))
        job.store.put(job.target(number), job.store.get(job.target(number)))

    job.associate(predictions=SCORE, share="1/2")
    assert "_SUCCESS" not in job.bodies()

    job.associate(predictions=SCORE, share="2/2")
    assert {row["id"].partition(" ")[0] for row in job.rows()} == {"new"}


def test_a_share_that_met_other_rows_for_a_while_closes_the_table_once_they_are_back() -> None:
    job = scored()
    for number in (1, 2):
        job.associate(predictions=SCORE, share=f"{number}/2")
    beside = S3Uri("b", "in/kept/part-00002.parquet")
    kept = job.store.get(beside)
    job.store.put(beside, parquet_of(pa.table({"id": ["one row"]})))
    with pytest.raises(AssociationError):
        job.associate(predictions=SCORE, share="1/2")
    assert "_SUCCESS" not in job.bodies()
    job.store.put(beside, kept)

    job.associate(predictions=SCORE, share="1/2")

    assert job.bodies() == whole()


def test_shares_do_not_count_once_their_parts_were_dealt_anew() -> None:
    job = scored()
    for number in (1, 2):
        job.associate(predictions=SCORE, share=f"{number}/3")
    answers = job.store.get(job.target(0))
    job.store.put(job.target(0), b"7\n")
    job.associate(predictions=SCORE, share="1/2")
    job.store.put(job.target(0), answers)

    job.associate(predictions=SCORE, share="3/3")
    assert "_SUCCESS" not in job.bodies()

    for number in (1, 2):
        job.associate(predictions=SCORE, share=f"{number}/3")
    assert job.bodies() == whole()


def test_stale_parts_of_a_larger_run_go_with_the_last_share() -> None:
    job = scored(7)
    job.associate(predictions=SCORE)
    fewer = scored(COUNT, job.store)
    for number in (1, 2):
        fewer.associate(predictions=SCORE, share=f"{number}/2")

    assert fewer.bodies() == whole()


def test_shares_of_an_unfinished_run_go_with_the_next() -> None:
    job = scored()
    job.associate(predictions=SCORE, share="1/4")
    job.associate(predictions=SCORE)

    assert job.bodies() == whole()


def test_a_share_that_fails_takes_its_own_parts_away() -> None:
    job = scored()
    job.associate(predictions=SCORE, share="1/2")
    job.store.put(job.target(3), b"1\n")

    with pytest.raises(RowCountMismatch):
        job.associate(predictions=SCORE, share="2/2")

    assert [name for name in job.bodies() if "part-" in name] == [f"part-{number:05}.parquet" for number in (0, 2, 4)]
    assert "_SUCCESS" not in job.bodies()


def test_dead_letters_of_all_shares_are_counted_by_the_last() -> None:
    job = scored()
    for number in (0, 1):
        job.store.put(job.target(number), b"x\n" * (number + 1))
    job.associate(predictions=SCORE, share="1/2", max_dead=2)

    with pytest.raises(TooManyDeadLetters) as caught:
        job.associate(predictions=SCORE, share="2/2", max_dead=2)
    assert (caught.value.dead, caught.value.rows) == (3, 15)
    assert "_SUCCESS" not in job.bodies()

    job.associate(predictions=SCORE, share="2/2", max_dead=3)
    assert (job.manifest().rows, job.manifest().dead_rows, "_SUCCESS" in job.bodies()) == (12, 3, True)


class Interrupted(InMemoryStore):
    """A store that fails at the so-manieth change, once."""

    left = 10**9

    def _count(self) -> None:
        self.left -= 1
        if not self.left:
            raise StorageError("s3://b/", "SlowDown", "Reduce your request rate.")

    def put(self, uri: S3Uri, body: bytes, **options: Any) -> str:
        self._count()
        return super().put(uri, body, **options)

    def delete(self, uris: Any) -> None:
        for uri in list(uris):
            self._count()
            super().delete([uri])


@pytest.mark.parametrize("at", range(1, 25))
def test_wherever_a_share_is_interrupted_doing_it_again_closes_the_table(at: int) -> None:
    store = Interrupted(buckets=["b"])
    job = scored(store=store)
    job.associate(predictions=SCORE, share="1/2")
    job.associate(predictions=SCORE, share="2/2")
    store.left = at
    failed = False
    try:
        job.associate(predictions=SCORE, share="1/2")
    except StorageError:
        failed = True
    store.left = 10**9

    if failed:
        job.associate(predictions=SCORE, share="1/2")

    assert job.bodies() == whole()


@pytest.mark.parametrize("predictions", [None, ["score"], {"score": None}])
def test_shares_need_types(predictions: Any) -> None:
    job = scored()

    with pytest.raises(InvalidInput, match="shares"):
        job.associate(predictions=predictions, share="1/2")


def test_shares_need_types_of_what_was_not_prepared_too() -> None:
    job = Scored([b"a,1\n", b"b,2\n"], [b"5\n", b"6\n"])
    with pytest.raises(InvalidInput, match="share"):
        job.associate(input_columns=["id", "x"], predictions=SCORE, share="1/2")
    for number in (1, 2):
        job.associate(input_columns=["id", "x"], predictions=SCORE, share=f"{number}/2", format="csv")

    assert job.rows() == [{"id": "a", "x": 1, "score": 5.0}, {"id": "b", "x": 2, "score": 6.0}]
