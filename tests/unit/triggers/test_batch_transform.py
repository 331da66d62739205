"""The trigger: one event, whatever happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest

from airflow_batchtx.errors import InvalidInput
from airflow_batchtx.triggers.batch_transform import BatchTransformTrigger
from tests.fake_account import Account
from tests.fake_airflow import FakeTaskInstance, fired
from tests.fake_sagemaker import FakeHook, FakeSageMaker, refusal
from tests.fake_supervisor import supervised
from tests.virtual_time import VirtualLoop, run_in_no_time

CONTROL = "s3://b/_batchtx/nightly/"


def trigger(hook: Any = None, job_name: str = "nightly", **options: Any) -> BatchTransformTrigger:
    made = BatchTransformTrigger(job_name=job_name, **{"poll_interval": 30, "aws_conn_id": None, **options})
    if hook is not None:
        made.hook = hook  # type: ignore[misc]
    return made


def fake(*life: str, reason: str = "") -> FakeSageMaker:
    sagemaker = FakeSageMaker(reason=reason)
    sagemaker.add("nightly", life)
    return sagemaker


def played(act: Callable[[VirtualLoop, Account], Coroutine[Any, Any, Any]], **limits: Any) -> Account:
    """Run an act in a triggerer beside an account."""

    async def work(loop: VirtualLoop) -> Account:
        account = Account(loop.clock, **limits)
        await act(loop, account)
        return account

    return run_in_no_time(work)


@pytest.mark.parametrize("interval", [0, -1, "often"])
def test_an_interval_without_a_pause_is_refused(interval: object) -> None:
    with pytest.raises(InvalidInput, match="poll_interval"):
        trigger(poll_interval=interval)


async def event(one: BatchTransformTrigger) -> dict[str, Any]:
    payload: dict[str, Any] = (await anext(one.run())).payload
    return payload


def test_serialize_is_plain_json_that_makes_the_same_trigger_again() -> None:
    full = trigger(
        region_name="eu-west-1", verify="/etc/ca.pem", botocore_config={"connect_timeout": 3}, deadline=1795435200.5,
        record=CONTROL, logs=True, stop_on_kill=False,
    )  # fmt: skip

    path, arguments = full.serialize()

    assert path == "airflow_batchtx.triggers.batch_transform.BatchTransformTrigger"
    assert BatchTransformTrigger(**json.loads(json.dumps(arguments))).serialize() == full.serialize()


# ------------------------------------------------------------------------------------------------------------ events


@pytest.mark.parametrize("end", ["Completed", "Stopped"])
def test_the_event_is_the_name_the_status_and_where_the_rest_is_on_record(end: str) -> None:
    found = fired(trigger(record=CONTROL), FakeHook(fake("InProgress", end)))

    assert found == {"job_name": "nightly", "status": end, "record": CONTROL}


def test_the_event_of_a_failed_job_says_why() -> None:
    found = fired(trigger(), FakeHook(fake("InProgress", "Failed", reason="ClientError: See job logs")))

    assert found == {"job_name": "nightly", "status": "Failed", "record": None, "reason": "ClientError: See job logs"}


def test_throttling_and_outages_are_waited_out() -> None:
    sagemaker = fake("Completed")
    sagemaker.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")] * 3

    assert fired(trigger(), FakeHook(sagemaker))["status"] == "Completed"
    assert len(sagemaker.calls) == 4


def test_the_deadline_is_an_event() -> None:
    async def act(loop: VirtualLoop, account: Account) -> None:
        name = account.add("nightly", lasts=9000)
        assert await event(trigger(account, name, deadline=0.0)) == {
            "job_name": "nightly",
            "status": "TimedOut",
            "record": None,
        }

    played(act)


def test_a_refusal_is_an_event() -> None:
    found = fired(trigger(), FakeHook(FakeSageMaker()))

    assert (found["status"], "nightly" in found["reason"]) == ("Unknown", True)


def test_a_connection_that_airflow_does_not_have_is_an_event() -> None:
    class Unconnected:
        @property
        def jobs(self) -> Any:
            raise LookupError("no such connection")

    async def act(loop: VirtualLoop, account: Account) -> None:
        found = await event(trigger(Unconnected()))
        assert (found["status"], "no such connection" in found["reason"]) == ("Unknown", True)

    played(act)


# ----------------------------------------------------------------------------------------------------------- sharing


def test_triggers_of_equal_settings_share_calls_and_others_do_not() -> None:
    async def act(loop: VirtualLoop, account: Account) -> None:
        names = [account.add(f"job-{number}", age=900, lasts=60) for number in range(30)]
        other = Account(loop.clock)
        elsewhere = trigger(other, other.add("job-0", lasts=60), region_name="eu-west-1")
        found = await asyncio.gather(event(elsewhere), *(event(trigger(account, name)) for name in names))
        assert {one["status"] for one in found} == {"Completed"}
        assert len(account.calls) <= 6
        assert {operation for _, operation, _ in other.calls} == {"DescribeTransformJob"}

    played(act)


@pytest.mark.parametrize("rate", ["0.1", "0"])
def test_the_rate_of_calls_is_an_option_of_airflow(rate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__BATCHTX__CALLS_PER_SECOND", rate)

    async def act(loop: VirtualLoop, account: Account) -> None:
        names = [account.add(f"job-{number}") for number in range(5)]
        waits = [asyncio.ensure_future(event(trigger(account, name))) for name in names]
        await asyncio.sleep(100)
        assert 5 <= len(account.calls) <= 12
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    played(act)


# -------------------------------------------------------------------------------------------------------------- kills


async def killed(account: Account, one: BatchTransformTrigger) -> None:
    """Do what a triggerer does with a trigger that is not its own any more."""
    running = asyncio.ensure_future(event(one))
    await asyncio.sleep(5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await one.on_kill()


@pytest.mark.parametrize(
    ("state", "options", "stopped"),
    [
        ("failed", {}, True),
        ("success", {}, True),
        (None, {}, False),
        ("deferred", {}, False),
        ("running", {}, False),
        ("failed", {"stop_on_kill": False}, False),
    ],
)
def test_a_job_is_stopped_if_its_task_is_over(state: str | None, options: dict[str, Any], stopped: bool) -> None:
    async def act(loop: VirtualLoop, account: Account) -> None:
        one = trigger(account, account.add("nightly"), **options)
        one.task_instance = FakeTaskInstance()
        await killed(account, one)

    with supervised(score=state):
        account = played(act)

    assert account.known["nightly"].stopped is stopped
    assert len(account.made("StopTransformJob")) == stopped


def test_a_trigger_of_no_task_stops_nothing() -> None:
    async def act(loop: VirtualLoop, account: Account) -> None:
        await killed(account, trigger(account, account.add("nightly")))

    assert not played(act).known["nightly"].stopped


# ------------------------------------------------------------------------------------------------------- the task's log


def test_what_is_reported_is_logged_in_the_triggers_own_task_while_it_waits() -> None:
    news = {10.0: ["one"], 20.0: ["two", "three"]}
    asked: list[float] = []

    async def act(loop: VirtualLoop, account: Account) -> None:
        def report() -> list[str]:
            asked.append(loop.time())
            return news.pop(next((time for time in news if time <= loop.time()), -1), [])

        one = trigger(account, account.add("nightly", lasts=60), logs=True)
        one.reports = [report]  # type: ignore[misc]
        one._log = Logger(lines)
        wait = asyncio.ensure_future(event(one))
        assert (await wait)["status"] == "Completed"
        assert [line for _, line in lines] == ["one", "two", "three"]
        assert {task for task, _ in lines} == {wait}

    lines: list[tuple[Any, str]] = []
    played(act)

    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert all(pause >= 4.9 for pause in pauses[:-1])


class Logger:
    """A logger that keeps what it is told, with the asyncio task that told it."""

    def __init__(self, lines: list[tuple[Any, str]]) -> None:
        self.lines = lines

    def info(self, text: str, *values: Any) -> None:
        self.lines.append((asyncio.current_task(), text % values))


def test_a_task_that_is_killed_while_it_reports_waits_no_more() -> None:
    async def act(loop: VirtualLoop, account: Account) -> None:
        one = trigger(account, account.add("nightly"))
        one.reports = [list]  # type: ignore[misc]
        await killed(account, one)
        assert one._shared.watcher.waiting == 0

    played(act)
