"""One watch over many jobs, in a time that passes at once."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import threading
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batchtx.errors import BatchTransformError, JobNotFound, JobRefused, JobTimedOut, ServiceUnavailable
from airflow_batchtx.triggers.watcher import CALLS_PER_SECOND, KEPT, Watcher
from tests.fake_account import Account, most_in
from tests.fake_sagemaker import refusal
from tests.virtual_time import VirtualLoop, run_in_no_time

LATENCY = 0.1


class Scene:
    """A watcher over an account, and what came of the waits: the end of each job, and how long after it that came."""

    def __init__(self, loop: VirtualLoop, seed: int = 0, **limits: Any) -> None:
        self.loop, self.random = loop, random.Random(seed)
        self.account = Account(loop.clock, **limits)
        self.connections = 0
        self.forgotten = 0
        self.watcher = Watcher(
            self.connect, clock=loop.clock, chance=self.random.random, forget=lambda: self._count("forgotten")
        )
        self.ends: dict[str, str] = {}
        self.delays: list[float] = []

    def connect(self) -> Account:
        self._count("connections")
        return self.account

    def jobs(
        self, count: int, *, age: float = 0, lasts: tuple[float, float] = (60, 120), end: str = "Completed"
    ) -> list[str]:
        """Let as many jobs exist, all of about that age."""
        uniform = self.random.uniform
        return [
            self.account.add(f"job-{number}", age=age + uniform(0, 2), lasts=uniform(*lasts), end=end)
            for number in range(count)
        ]

    async def wait(self, *names: str, interval: float = 30, timeout: float | None = None) -> None:
        """Wait for all of them at once."""
        deadline = None if timeout is None else self.loop.clock() + timeout
        await asyncio.gather(*(self._one(name, interval, deadline) for name in names))

    async def _one(self, name: str, interval: float, deadline: float | None) -> None:
        try:
            seen = await self.watcher.wait(name, interval=interval, deadline=deadline)
        except BatchTransformError as error:
            self.ends[name] = type(error).__name__
        else:
            self.ends[name] = seen["TransformJobStatus"]
            self.delays.append(self.loop.clock() - self.account.known[name].ends)

    def _count(self, name: str) -> None:
        setattr(self, name, getattr(self, name) + 1)

    @property
    def calls(self) -> int:
        return len(self.account.calls)

    def made(self, operation: str) -> int:
        return len(self.account.made(operation))


def played(act: Callable[[Scene], Awaitable[Any]], *, latency: float = LATENCY, **limits: Any) -> Scene:
    """Run an act, and give the scene as it was then."""

    async def work(loop: VirtualLoop) -> Scene:
        scene = Scene(loop, **limits)
        await act(scene)
        return scene

    return run_in_no_time(work, latency)


# ------------------------------------------------------------------------------------------------- every end is seen


@pytest.mark.parametrize("end", ["Completed", "Failed", "Stopped"])
@pytest.mark.parametrize("count", [1, 30])
def test_every_end_of_a_job_ends_the_wait(end: str, count: int) -> None:
    scene = played(lambda scene: scene.wait(*scene.jobs(count, end=end)))

    assert set(scene.ends.values()) == {end}
    assert len(scene.ends) == count


def test_the_reason_of_a_failure_comes_along_from_either_call() -> None:
    async def act(scene: Scene) -> None:
        names = scene.jobs(15, lasts=(0, 0), end="Failed")
        found = await asyncio.gather(*(scene.watcher.wait(name, interval=30, deadline=None) for name in names))
        assert {seen["FailureReason"] for seen in found} == {"ClientError: See job logs"}
        (alone,) = (await scene.watcher.wait(names[0], interval=30, deadline=None),)
        assert alone["FailureReason"] == "ClientError: See job logs"

    scene = played(act)

    assert (scene.made("ListTransformJobs"), scene.made("DescribeTransformJob")) == (1, 1)


def test_two_who_wait_for_one_job_are_both_told() -> None:
    async def act(scene: Scene) -> None:
        (name,) = scene.jobs(1)
        found = await asyncio.gather(*(scene.watcher.wait(name, interval=30, deadline=None) for _ in range(2)))
        assert [seen["TransformJobStatus"] for seen in found] == ["Completed"] * 2

    played(act)


@settings(max_examples=40)
@given(
    count=st.integers(1, 60),
    age=st.floats(0, 5000),
    others=st.integers(0, 400),
    rate=st.sampled_from([None, 0.5, 2.0, 50.0]),
    denied=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_every_job_is_seen_to_end_with_no_more_calls_than_allowed(
    count: int, age: float, others: int, rate: float | None, denied: bool, seed: int
) -> None:
    async def act(scene: Scene) -> None:
        for number in range(others):
            scene.account.add(f"other-{number}", age=scene.random.uniform(0, 4000))
        await scene.wait(*scene.jobs(count, age=age, lasts=(0, 600)))

    refused = ("ListTransformJobs",) if denied else ()
    scene = played(act, seed=seed, rate=rate, denied=refused)

    assert list(scene.ends.values()) == ["Completed"] * count
    times = [time for time, _, _ in scene.account.calls]
    assert most_in(times, 10) <= CALLS_PER_SECOND * 11 + 1


# --------------------------------------------------------------------------------------------------- many, and cheap


@pytest.mark.parametrize("age", [0, 3600])
@pytest.mark.parametrize("count", [300, 1000])
def test_a_crowd_costs_a_twentieth_of_a_look_at_each_job_and_is_told_no_later(count: int, age: float) -> None:
    scene = played(lambda scene: scene.wait(*scene.jobs(count, age=age)))

    each_job_every_30_seconds = sum(
        1 + (job.ends - scene.account.clock() + scene.loop.time()) // 30 for job in scene.account.known.values()
    )
    assert len(scene.ends) == count
    assert scene.calls <= each_job_every_30_seconds / 20
    assert median(scene.delays) <= 15
    assert max(scene.delays) <= 45


def test_a_thousand_jobs_are_all_looked_at_within_seconds() -> None:
    async def act(scene: Scene) -> None:
        waits = asyncio.ensure_future(scene.wait(*scene.jobs(1000, lasts=(0, 0))))
        await asyncio.sleep(5)
        assert waits.done()

    assert len(played(act).ends) == 1000


def test_a_few_jobs_are_described_each_in_its_time() -> None:
    scene = played(lambda scene: scene.wait(*scene.jobs(5, age=900, lasts=(300, 300))))

    assert scene.made("ListTransformJobs") == 0
    assert scene.made("DescribeTransformJob") <= 5 * (300 / 27 + 2)
    assert max(scene.delays) <= 34


def test_a_thousand_jobs_end_though_aws_takes_two_calls_a_second() -> None:
    scene = played(lambda scene: scene.wait(*scene.jobs(1000)), rate=2.0)

    assert set(scene.ends.values()) == {"Completed"}
    assert len(scene.ends) == 1000
    assert scene.account.throttled <= scene.calls / 5
    assert max(scene.delays) <= 60


@pytest.mark.parametrize("rate", [None, 2.0])
def test_a_thousand_jobs_end_though_nobody_may_list_them(rate: float | None) -> None:
    scene = played(lambda scene: scene.wait(*scene.jobs(1000)), rate=rate, denied=("ListTransformJobs",))

    assert len(scene.ends) == 1000
    assert scene.made("ListTransformJobs") == 1


def test_jobs_that_a_listing_does_not_reach_are_described() -> None:
    async def act(scene: Scene) -> None:
        for number in range(3000):
            scene.account.add(f"other-{number}", age=10)
        old = scene.account.add("old", age=86_400, lasts=100)
        await scene.wait(*scene.jobs(40), old)

    scene = played(act)

    assert scene.ends["old"] == "Completed"
    assert len(scene.ends) == 41
    assert scene.calls < 41 * 5


def test_in_an_account_full_of_others_listing_is_given_up() -> None:
    async def act(scene: Scene) -> None:
        for number in range(5000):
            scene.account.add(f"other-{number}", age=number % 1000)
        await scene.wait(*scene.jobs(20, age=900, lasts=(600, 600)))

    scene = played(act)

    assert scene.made("ListTransformJobs") <= 8
    assert len(scene.ends) == 20


# ---------------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("count", [1, 30])
def test_an_outage_ends_no_wait_and_is_no_storm_of_calls(count: int) -> None:
    async def act(scene: Scene) -> None:
        scene.account.trouble = lambda operation: (
            refusal(operation, "InternalFailure", status=500) if scene.loop.time() < 3600 else None
        )
        await scene.wait(*scene.jobs(count, lasts=(1800, 1800)))

    scene = played(act)

    assert set(scene.ends.values()) == {"Completed"}
    assert most_in([time for time, _, _ in scene.account.calls if time < scene.account.clock() - 60], 600) <= 200
    assert max(scene.delays) <= 1800 + 60


def test_a_job_that_is_not_there_ends_its_own_wait_only() -> None:
    scene = played(lambda scene: scene.wait(*scene.jobs(12), "nobodys"))

    assert scene.ends.pop("nobodys") == JobNotFound.__name__
    assert list(scene.ends.values()) == ["Completed"] * 12


def test_a_refusal_ends_the_wait() -> None:
    scene = played(lambda scene: scene.wait(*scene.jobs(2)), denied=("DescribeTransformJob",))

    assert set(scene.ends.values()) == {JobRefused.__name__}


@pytest.mark.parametrize("error", [KeyError("TransformJobSummaries"), RuntimeError("no connection just now")])
def test_what_fails_in_a_sweep_does_not_end_the_watch(error: Exception) -> None:
    async def act(scene: Scene) -> None:
        scene.account.trouble = lambda operation: error if operation == "ListTransformJobs" else None
        await scene.wait(*scene.jobs(30))

    assert set(played(act).ends.values()) == {"Completed"}


def test_an_airflow_that_cannot_tell_its_connections_is_waited_for_a_while() -> None:
    async def act(scene: Scene) -> None:
        def connect() -> Account:
            if scene.loop.time() < 60:
                raise RuntimeError("no connection just now")
            return scene.account

        scene.watcher = Watcher(connect, clock=scene.loop.clock, chance=scene.random.random)
        await scene.wait(*scene.jobs(3))

    assert set(played(act).ends.values()) == {"Completed"}


def test_a_connection_that_is_never_there_ends_the_wait_with_what_failed() -> None:
    async def act(scene: Scene) -> None:
        def connect() -> Account:
            raise LookupError("no such connection")

        watcher = Watcher(connect, clock=scene.loop.clock, chance=scene.random.random)
        with pytest.raises(ServiceUnavailable, match="no such connection") as caught:
            await watcher.wait("nightly", interval=30, deadline=None)
        assert isinstance(caught.value.__cause__, LookupError)
        assert 60 < scene.loop.time() < 1800

    played(act)


def test_a_watch_that_breaks_ends_all_waits_with_the_reason() -> None:
    async def act(scene: Scene) -> None:
        names = scene.jobs(3)
        waits = [asyncio.ensure_future(scene.watcher.wait(name, interval=30, deadline=None)) for name in names]
        await asyncio.sleep(1)
        scene.watcher._clock = None  # type: ignore[assignment]  # something that cannot happen
        del scene.watcher._next_sweep
        found = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(one) for one in found} == {AttributeError}

    played(act)


# ------------------------------------------------------------------------------------------------------------ deadlines


@pytest.mark.parametrize("count", [1, 30])
def test_the_deadline_ends_the_wait_in_time(count: int) -> None:
    async def act(scene: Scene) -> None:
        await scene.wait(*scene.jobs(count, age=900, lasts=(9000, 9000)), timeout=100)
        assert scene.loop.time() == pytest.approx(100, abs=0.1)

    assert set(played(act).ends.values()) == {JobTimedOut.__name__}


def test_the_deadline_holds_in_an_outage_too() -> None:
    async def act(scene: Scene) -> None:
        scene.account.trouble = lambda operation: refusal(operation, "ThrottlingException")
        await scene.wait(*scene.jobs(3), timeout=100)
        assert scene.loop.time() == pytest.approx(100, abs=0.1)

    assert set(played(act).ends.values()) == {JobTimedOut.__name__}


def test_a_deadline_that_has_passed_already() -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(JobTimedOut) as caught:
            await scene.watcher.wait(*scene.jobs(1), interval=30, deadline=scene.loop.clock() - 5)
        assert (caught.value.job_name, scene.loop.time() < 1) == ("job-0", True)

    played(act)


# -------------------------------------------------------------------------------------------------- coming and going


def test_who_does_not_wait_any_more_disturbs_nobody() -> None:
    async def act(scene: Scene) -> None:
        names = scene.jobs(30)
        waits = [asyncio.ensure_future(scene.wait(name)) for name in names]
        await asyncio.sleep(10)
        for wait in waits[:15]:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        assert scene.watcher.waiting == 0
        assert sorted(scene.ends) == sorted(names[15:])

    played(act)


def test_who_comes_later_is_looked_at_soon() -> None:
    async def act(scene: Scene) -> None:
        first = asyncio.ensure_future(scene.wait(*scene.jobs(40, age=3600, lasts=(500, 500))))
        await asyncio.sleep(100)
        late = scene.account.add("late", lasts=0)
        await scene.wait(late)
        assert scene.delays[-1] < 2
        await first

    played(act)


def test_nobody_waits_so_nobody_is_asked_and_the_watcher_is_forgotten() -> None:
    async def act(scene: Scene) -> None:
        await scene.wait(*scene.jobs(3))
        calls = scene.calls
        await asyncio.sleep(KEPT - 1)
        assert (scene.forgotten, scene.connections) == (0, 1)
        await asyncio.sleep(2)
        assert (scene.forgotten, scene.calls) == (1, calls)
        assert asyncio.all_tasks() == {asyncio.current_task()}

        await scene.wait(*scene.jobs(3))
        assert scene.connections == 2

    played(act)


def test_tasks_that_follow_each_other_share_a_connection() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(5):
            await scene.wait(*scene.jobs(1))
            await asyncio.sleep(KEPT / 2)
        assert scene.connections == 1

    played(act)


def test_a_loop_that_ends_ends_the_waits() -> None:
    async def act(scene: Scene) -> None:
        wait = asyncio.ensure_future(scene.wait(*scene.jobs(1)))
        await asyncio.sleep(1)
        background = asyncio.all_tasks() - {wait, asyncio.current_task()}
        for task in background:
            task.cancel()
        await asyncio.gather(wait, *background, return_exceptions=True)
        assert wait.cancelled()

    played(act)


# -------------------------------------------------------------------------------------------------------------- stops


def test_a_job_is_stopped_only_if_that_is_wanted() -> None:
    async def act(scene: Scene) -> None:
        one, two, over = *scene.jobs(2), scene.account.add("over", lasts=0)
        assert await scene.watcher.stop(one, wanted=lambda: True) is True
        assert await scene.watcher.stop(two, wanted=lambda: False) is None
        assert await scene.watcher.stop(over) is False
        assert (scene.account.known[one].stopped, scene.account.known[two].stopped) == (True, False)

    assert played(act).made("StopTransformJob") == 2


def test_hundreds_of_stops_take_their_turns_and_go_on_though_airflow_gives_up() -> None:
    async def act(scene: Scene) -> None:
        names = scene.jobs(300, lasts=(9000, 9000))
        kills = [asyncio.wait_for(scene.watcher.stop(name), 30) for name in names]
        found = await asyncio.gather(*kills, return_exceptions=True)
        assert found.count(True) < 300
        await asyncio.sleep(120)
        assert all(job.stopped for job in scene.account.known.values())

    scene = played(act)

    assert scene.made("StopTransformJob") == 300
    assert most_in([time for time, _ in scene.account.made("StopTransformJob")], 10) <= CALLS_PER_SECOND * 11 + 1


def test_who_waits_is_told_while_hundreds_are_stopped() -> None:
    async def act(scene: Scene) -> None:
        names = scene.jobs(300, lasts=(9000, 9000))
        stops = asyncio.gather(*map(scene.watcher.stop, names))
        await scene.wait(scene.account.add("small", lasts=5))
        assert scene.delays[-1] < 10
        assert not stops.done()
        await stops

    played(act)


def test_a_stop_is_tried_again_while_aws_does_not_answer() -> None:
    async def act(scene: Scene) -> None:
        scene.account.trouble = lambda operation: (
            refusal(operation, "ThrottlingException") if scene.loop.time() < 60 else None
        )
        assert await scene.watcher.stop(*scene.jobs(1)) is True

    played(act)


@pytest.mark.parametrize(("failures", "stopped"), [(3, True), (99, None)])
def test_airflow_is_asked_again_whether_a_stop_is_wanted_and_then_left_in_peace(
    failures: int, stopped: bool | None
) -> None:
    asked = []

    def wanted() -> bool:
        asked.append(1)
        if len(asked) <= failures:
            raise RuntimeError("not just now")
        return True

    async def act(scene: Scene) -> None:
        assert await scene.watcher.stop(*scene.jobs(1), wanted=wanted) is stopped

    played(act)


def test_a_stop_that_is_refused_says_so() -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(JobRefused):
            await scene.watcher.stop(*scene.jobs(1))

    played(act, denied=("StopTransformJob",))


# ------------------------------------------------------------------------------------------------- loops and threads


class Quick:
    """An account whose job ends at once, asked in real threads."""

    def __init__(self) -> None:
        self.threads: set[threading.Thread] = set()
        self.contexts: list[str] = []

    @property
    def jobs(self) -> Any:
        return self

    def describe(self, job_name: str) -> dict[str, Any]:
        self.threads.add(threading.current_thread())
        self.contexts.append(TASK.get())
        return {"TransformJobName": job_name, "TransformJobStatus": "Completed"}


TASK = contextvars.ContextVar("TASK", default="none")


async def waited(account: Quick, chance: Callable[[], float] = lambda: 0.0) -> Any:
    TASK.set("the first task")
    return await Watcher(lambda: account, chance=chance).wait("nightly", interval=1, deadline=None)


def test_calls_are_made_in_threads_and_in_no_tasks_context() -> None:
    account = Quick()

    assert asyncio.run(waited(account))["TransformJobStatus"] == "Completed"
    assert threading.main_thread() not in account.threads
    assert account.contexts == ["none"]


def test_loops_have_watchers_of_their_own() -> None:
    accounts = [Quick(), Quick()]
    threads = [threading.Thread(target=asyncio.run, args=(waited(account),)) for account in accounts]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(account.contexts for account in accounts)


def test_what_is_logged_belongs_to_no_task(caplog: pytest.LogCaptureFixture) -> None:
    contexts = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            contexts.append((TASK.get(), record.getMessage()))

    async def act(scene: Scene) -> None:
        TASK.set("the first task")
        await scene.wait(*scene.jobs(30))

    logger, handler = logging.getLogger("airflow_batchtx"), Kept()
    logger.addHandler(handler)
    try:
        played(act, denied=("ListTransformJobs",))
    finally:
        logger.removeHandler(handler)

    assert [task for task, _ in contexts] == ["none"]
    assert "one by one" in contexts[0][1]
