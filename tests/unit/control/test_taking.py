"""Everything that is told of is one run's, however often it is told of, and to whomever."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.control.taking import EVENTS, Claims, Event
from airflow_batchtx.errors import ObjectChanged, StorageError
from airflow_batchtx.spec.naming import Identity
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

PREFIX = S3Uri.parse("s3://b/claims/")


def run(name: str, task: str = "take") -> Identity:
    return Identity(namespace="", dag_id="on_arrival", task_id=task, run_id=name, map_index=-1)


def events(*ids: str) -> list[Event]:
    return [{"id": one, "uri": f"s3://lake/{one}.csv"} for one in ids]


def ids(taken: Iterable[Event]) -> list[str]:
    return [event["id"] for event in taken]


def claims() -> Claims:
    return Claims(InMemoryStore(buckets=["b"]), PREFIX)


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.sampled_from("abcdef"), max_size=8)), max_size=12))
def test_each_event_is_one_runs_and_none_is_lost(told: list[tuple[int, list[str]]]) -> None:
    ledger = claims()
    first: dict[int, list[str]] = {}
    for number, some in told:
        taken = ids(ledger.taken(run(f"run {number}"), lambda some=some: events(*some)))
        # A run that was told of something has the same for ever.
        if some or number in first:
            assert first.setdefault(number, taken) == taken

    owned = [one for taken in first.values() for one in taken]
    assert len(owned) == len(set(owned))
    heard = {number: some for number, some in reversed(told) if some}
    assert {one for some in heard.values() for one in some} == set(owned)


def test_they_come_in_the_order_in_which_they_were_told_of() -> None:
    assert ids(claims().taken(run("1"), lambda: events("b", "a", "b", "c"))) == ["b", "a", "c"]


def test_a_try_that_died_between_its_claims_and_their_record_is_taken_up() -> None:
    class Dying(InMemoryStore):
        def put(self, uri: S3Uri, body: bytes, **options: object) -> str:
            if uri.key.split("/")[-2] == "work" and uri in self.bodies:
                raise StorageError(str(uri), "Killed", "out of memory")
            return super().put(uri, body, **options)  # type: ignore[arg-type]

    store = Dying(buckets=["b"])
    with pytest.raises(StorageError):
        Claims(store, PREFIX).taken(run("1"), lambda: events("a"))
    again = InMemoryStore({str(uri): body for uri, body in store.bodies.items()}, ["b"])

    assert Claims(again, PREFIX).taken(run("2"), lambda: events("a")) == []
    assert ids(Claims(again, PREFIX).taken(run("1"), lambda: events("a", "b"))) == ["a"]
    assert ids(Claims(again, PREFIX).taken(run("3"), lambda: events("a", "b"))) == ["b"]


def test_what_a_twin_has_written_down_first_counts() -> None:
    ledger = claims()

    def told() -> list[Event]:
        # The twin of this try is told of less, and is quicker.
        ledger.taken(run("1"), lambda: events("a"))
        return events("a", "b")

    assert ids(ledger.taken(run("1"), told)) == ["a"]
    # What the twin was not told of is nobody's yet: the run that is told of it next gets it.
    assert ids(ledger.taken(run("2"), lambda: events("b"))) == ["b"]


def test_of_several_runs_at_once_each_event_is_one_s() -> None:
    ledger, together = claims(), Barrier(4)

    def take(name: str) -> list[str]:
        together.wait()
        return ids(ledger.taken(run(name), lambda: events(*"abcdefgh")))

    with ThreadPoolExecutor(4) as pool:
        # Two tries of the one run, and one of each other.
        one, twin, *others = pool.map(take, ["1", "1", "2", "3"])

    assert one == twin
    assert sorted([*one, *itertools.chain(*others)]) == list("abcdefgh")


def test_a_twin_that_is_not_there_yet_leaves_it_to_the_next_try() -> None:
    class Conflicting(InMemoryStore):
        def put(self, uri: S3Uri, body: bytes, **options: object) -> str:
            raise ObjectChanged(str(uri), "ConditionalRequestConflict", "at the same time")

    store = Conflicting(buckets=["b"])
    with pytest.raises(ObjectChanged):
        Claims(store, PREFIX).taken(run("1"), lambda: events("a"))
    assert not store.bodies


def test_another_task_of_a_run_is_another_taker() -> None:
    ledger = claims()

    assert ledger.taken(run("1"), lambda: events("a"))
    assert not ledger.taken(run("1", "another"), lambda: events("a"))


def test_a_claim_says_who_has_what() -> None:
    ledger = claims()
    ledger.taken(run("1"), lambda: events("any text / at all"))

    (claim,) = ledger.store.objects(PREFIX / EVENTS)
    body = ledger.store.get(claim.uri).decode()
    assert '"run_id": "1"' in body
    assert "s3://lake/any text / at all.csv" in body
