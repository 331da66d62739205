"""Which output answers which input, and the last lines of a log, as a page shows them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.ledger import INTENT, RECORD
from airflow_batchtx.control.prices import price_table
from airflow_batchtx.control.submission import start
from airflow_batchtx.errors import AccessDenied
from airflow_batchtx.plugin import documents
from airflow_batchtx.plugin.documents import Documents, NotInTime, Pair, TooLarge
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.spec.card import JobCard
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World, assignment
from tests.fake_logs import INSTANCE, FakeLogs

NOW = 1_000.0


@pytest.fixture
def reading() -> Iterator[Callable[..., Documents]]:
    made: list[Documents] = []

    def read(world: World, **options: Any) -> Documents:
        made.append(Documents(lambda _: world.services, **options))
        return made[-1]

    yield read
    for one in made:
        one.close()


def submitted(world: World) -> JobCard:
    started = start(world.services, assignment())
    ending = Ending(services=world.services, policy=Policy(), prices=price_table())
    described = world.services.jobs.describe(started.job_name)
    return JobCard(result=ending.result(described, started.on_record))


def ended(world: World) -> JobCard:
    started = start(world.services, assignment())
    ending = Ending(services=world.services, policy=Policy(), prices=price_table())
    described = world.services.jobs.describe(started.job_name)
    return JobCard(result=ending.concluded(described, started.on_record))


def test_before_the_end_there_is_a_plan(reading: Callable[..., Documents]) -> None:
    world = World(life=("InProgress",))
    card = submitted(world)

    mapped = reading(world).mapped(card)

    assert (mapped.proved, len(mapped.pairs)) == (False, 3)
    assert mapped.pairs[0] == Pair("s3://b/in/a.csv", mapped.pairs[0].size, "s3://b/out/a.csv.out", None)


def test_after_the_end_the_record_proves_it(reading: Callable[..., Documents]) -> None:
    world = World(life=("Completed",))
    card = ended(world)

    mapped = reading(world).mapped(card)

    assert mapped.proved
    assert [pair.written for pair in mapped.pairs] == [True] * 3


def test_it_has_pages() -> None:
    pairs = [Pair(f"s3://b/{number}", 1, "s3://b/o", None) for number in range(documents.PAGE + 1)]
    mapped = documents.Mapped(True, pairs)

    assert [len(mapped.page(number)) for number in (0, 1, 2)] == [documents.PAGE, 1, 0]
    assert [*mapped.page(0), *mapped.page(1)] == pairs


def test_who_turns_pages_reads_the_record_once(reading: Callable[..., Documents]) -> None:
    world, now = World(life=("Completed",)), [NOW]
    card = ended(world)
    reader = reading(world, clock=lambda: now[0])
    first = reader.mapped(card)

    assert reader.mapped(card) is first
    assert reader.mapped(replace(card, aws_conn_id="other")) is not first
    now[0] += documents.KEPT_FOR
    assert reader.mapped(card) is not first


@pytest.mark.parametrize("name", [INTENT, RECORD])
def test_a_job_without_record_has_no_mapping(reading: Callable[..., Documents], name: str) -> None:
    world = World(life=("Completed",))
    card = ended(world)
    gone = replace(card, result=replace(card.result, record=card.result.record if name == RECORD else None))
    world.store.delete([S3Uri.parse(str(card.result.control)) / name])

    assert reading(world).mapped(gone) is None
    assert reading(world).mapped(replace(card, result=replace(card.result, control=None))) is None


def test_a_record_that_is_too_large_is_only_named(reading: Callable[..., Documents]) -> None:
    world = World(life=("Completed",))
    card = ended(world)

    found = reading(world, largest=10).mapped(card)

    assert isinstance(found, TooLarge)
    assert (found.uri, found.size > 10) == (card.result.record, True)


def test_nobody_waits_for_ever(reading: Callable[..., Documents]) -> None:
    world, answer = World(life=("Completed",)), threading.Event()
    card = ended(world)
    reader = Documents(lambda _: answer.wait(30) and world.services, patience=0.01)

    with pytest.raises(NotInTime):
        reader.mapped(card)
    answer.set()
    reader.close()


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    world, answer, begun = World(life=("Completed",)), threading.Event(), list[JobCard]()
    card = ended(world)

    def connect(which: JobCard) -> Any:
        begun.append(which)
        answer.wait(30)
        return world.services

    reader = Documents(connect, patience=0.01)
    for _ in range(documents.TOGETHER + 3):
        with pytest.raises(NotInTime):
            reader.mapped(card)
    answer.set()
    reader._threads.shutdown(wait=True)

    assert len(begun) <= documents.TOGETHER


def test_what_s3_says_comes_out(reading: Callable[..., Documents]) -> None:
    world = World(life=("Completed",))
    card = ended(world)

    def denied(uri: Any) -> Any:
        raise AccessDenied(str(uri), "HeadObject", "no")

    world.store.stat = denied  # type: ignore[method-assign]
    with pytest.raises(AccessDenied):
        reading(world).mapped(card)


def test_the_last_lines_come_in_the_order_of_their_times_with_what_failed(reading: Callable[..., Documents]) -> None:
    world, logs = World(life=("Completed",)), FakeLogs()
    card = ended(world)
    about = "2026-11-23T12:00:00.000:[sagemaker logs]: lake/in/a.csv"
    told = [f"{about}: {said}" for said in ("ClientError: 400", "", "Message:", "no column x")]
    logs.add(f"{card.result.job_name}/{INSTANCE}/data-log", *told, at=range(500, 504))
    printed = [f"line {number}\x1b[31m" for number in range(300)]
    logs.add(f"{card.result.job_name}/{INSTANCE}", *printed, at=range(0, 600, 2))
    services = replace(world.services, logs=JobLogs(logs))
    reader = Documents(lambda _: services)

    logged = reader.logged(card)
    reader.close()

    assert len(logged.lines) == documents.LINES
    assert [line.time for line in logged.lines] == sorted(line.time for line in logged.lines)
    assert logged.lines[-1].text == "line 299 [31m"
    assert {line.stream for line in logged.lines} == {INSTANCE, f"{INSTANCE}/data-log"}
    assert [(one.uri, one.status, one.words) for one in logged.failed] == [("s3://lake/in/a.csv", 400, "no column x")]


def test_however_many_look_at_a_log_it_is_read_once_in_a_while() -> None:
    world, now, ways = World(life=("Completed",)), [NOW], list[JobCard]()
    card = ended(world)
    services = replace(world.services, logs=JobLogs(FakeLogs()))
    reader = Documents(lambda which: ways.append(which) or services, clock=lambda: now[0])

    first = reader.logged(card)
    assert reader.logged(card) is first
    now[0] += documents.LOGS_KEPT_FOR
    assert reader.logged(card) is not first
    reader.logged(replace(card, aws_conn_id="other"))
    reader.close()

    assert len(ways) == 3
