"""What a run takes of what its asset's watcher has told."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset, AssetWatcher
from airflow.sdk.exceptions import AirflowSkipException

from airflow_batchtx.errors import InvalidInput
from airflow_batchtx.operators.events import TakeEventsOperator
from airflow_batchtx.triggers.queues import ArrivalTrigger
from tests.fake_airflow import FakeTaskInstance
from tests.fakes import InMemoryStore
from tests.virtual_time import BEGIN

ARRIVALS = Asset("arrivals", watchers=[AssetWatcher(name="queue", trigger=ArrivalTrigger("q"))])


def told(*ids: str, minute: int = 0, payload: Any = None) -> SimpleNamespace:
    """An event of the asset, as a watcher has made it."""
    said = {"events": [{"id": one, "uri": f"s3://lake/{one}.csv"} for one in ids]} if payload is None else payload
    return SimpleNamespace(timestamp=BEGIN + timedelta(minutes=minute), extra={"from_trigger": True, "payload": said})


class Inlet:
    """The events of an asset, as a task asks for them."""

    def __init__(self, events: list[SimpleNamespace]) -> None:
        self.events = events

    def after(self, since: str) -> list[SimpleNamespace]:
        return [event for event in self.events if event.timestamp >= datetime.fromisoformat(since)]


class Airflow:
    """A deployment: its asset's events, and the store of the claims."""

    def __init__(self, *events: SimpleNamespace) -> None:
        self.events = list(events)
        self.store = InMemoryStore(buckets=["b"])

    def run(self, name: str, *started_by: SimpleNamespace, conf: Any = None, **options: Any) -> list[Any]:
        """Run the task in a run that these events have started."""
        task = TakeEventsOperator(task_id="take", asset=ARRIVALS, claims="s3://b/claims", **options)
        task.store = self.store
        context: Any = {
            "ti": FakeTaskInstance(dag_id="d", task_id="take", run_id=name),
            "dag_run": SimpleNamespace(conf=conf),
            "triggering_asset_events": {ARRIVALS: list(started_by), Asset("another"): [told("z")]},
            "inlet_events": {Asset.ref(name="arrivals"): Inlet(self.events)},
        }
        return task.execute(context)


def test_all_objects_of_all_events_are_one_list() -> None:
    first, second = told("a", "b"), told("c", minute=1)
    airflow = Airflow(first, second)

    assert airflow.run("1", first, second, member="uri") == [f"s3://lake/{one}.csv" for one in "abc"]


def test_without_a_member_it_is_the_events() -> None:
    one = told("a")

    assert Airflow(one).run("1", one) == [{"id": "a", "uri": "s3://lake/a.csv"}]


def test_an_event_that_came_too_late_to_be_the_runs_is_taken_all_the_same() -> None:
    """Airflow 3.3 gives it to this run no more, and starts no other (apache/airflow#56050)."""
    before, first, late = told("a", minute=-10), told("b"), told("c", minute=60)
    airflow = Airflow(before, first, late)

    assert airflow.run("1", first, member="id") == ["b", "c"]


def test_an_event_of_a_triggerer_whose_clock_is_slow_is_no_ones_loss() -> None:
    first, slow = told("a"), told("b", minute=-2)

    assert Airflow(slow, first).run("1", first, member="id") == ["b", "a"]


def test_a_run_whose_events_another_has_is_skipped() -> None:
    first, again = told("a"), told("a", minute=1)
    airflow = Airflow(first, again)
    airflow.run("1", first)

    with pytest.raises(AirflowSkipException):
        airflow.run("2", again)


def test_a_run_that_is_cleared_has_what_it_had() -> None:
    first = told("a")
    airflow = Airflow(first)
    airflow.run("1", first)
    airflow.events.append(told("b", minute=1))

    assert airflow.run("1", first, member="id") == ["a"]
    assert airflow.run("2", airflow.events[1], member="id") == ["b"]


def test_a_run_may_bring_events_of_its_own() -> None:
    one = told("a")
    airflow = Airflow(one)

    assert airflow.run("by hand", conf={"events": [{"id": "a", "uri": "s3://lake/a.csv"}]}, member="uri") == [
        "s3://lake/a.csv"
    ]
    with pytest.raises(AirflowSkipException):
        airflow.run("1", one)


@pytest.mark.parametrize("events", [["a.csv"], [{"uri": "s3://lake/a.csv"}], [{"id": ""}], [{"id": ["a"]}]])
def test_events_that_nothing_tells_apart_are_refused(events: Any) -> None:
    with pytest.raises(InvalidInput, match="has no id"):
        Airflow().run("by hand", conf={"events": events})


def test_an_event_without_what_is_asked_of_it_is_refused_before_it_is_claimed() -> None:
    airflow = Airflow()

    with pytest.raises(InvalidInput, match="has no uri"):
        airflow.run("by hand", conf={"events": [{"id": "a"}]}, member="uri")
    assert not airflow.store.bodies


@pytest.mark.parametrize("conf", [None, {}, {"events": None}])
def test_a_run_that_is_told_of_nothing_is_skipped(conf: Any) -> None:
    with pytest.raises(AirflowSkipException):
        Airflow(told("a")).run("by hand", conf=conf)


def test_an_event_that_no_watcher_has_made_is_passed_over() -> None:
    by_hand, one = SimpleNamespace(timestamp=BEGIN, extra={}), told("a", minute=1)

    assert Airflow(by_hand, one).run("1", by_hand, one, member="id") == ["a"]


def test_its_inlet_does_not_hide_the_watchers_of_the_asset() -> None:
    task = TakeEventsOperator(task_id="take", asset=ARRIVALS, claims="s3://b/claims")

    assert task.inlets == [Asset.ref(name="arrivals")]
