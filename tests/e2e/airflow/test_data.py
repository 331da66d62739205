"""One table by many workers on a real scheduler: one of them is killed, instances are cleared, folders go.

What the tests look at has happened once for all of them, in the order of the fixtures.
"""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.airflow.api import Run, Task
from tests.e2e.airflow.stage import ENDED, Stage, World
from tests.engines import Invocation, Reply

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.e2e_airflow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc to find processes"),
]

FOLDERS, LEFT, ROWS, SHARES = 3, 2, 4000, 2
PREPARE, ASSOCIATE, TABLE = "scoring.prepare", "scoring.associate", "table/"
KILLED = 1
"""The share whose process is killed, from 0."""
# Seconds that it goes on for between two looks at what it has written.
STEP = 0.05
# Every so-manieth row cannot be prepared, or gets an answer that is no number.
UNFIT, REFUSED = 101, 70


def doubled(invocation: Invocation) -> Reply:
    answers = (b"none" if int(x) % REFUSED == 0 else b"%d" % (2 * int(x)) for x in invocation.body.split())
    return 200, b"".join(answer + b"\n" for answer in answers)


def folder(number: int) -> str:
    return f"lake/{number}/rows.csv"


def ids_in(folders: int) -> list[int]:
    """The ids of the rows of the first so many folders that can be prepared."""
    return [number for number in range(folders * ROWS) if number % UNFIT]


@dataclass(frozen=True)
class Seen:
    """The table as it was once a run had ended: its objects, and the ids of its rows and of those beside it."""

    state: str
    tries: dict[str, list[int]]
    removed: list[int]
    bodies: dict[str, bytes]
    rows: dict[int, int]
    dead: list[int]
    jobs: int


@dataclass
class Story:
    """What happens to one run."""

    stage: Stage
    run: Run

    @classmethod
    def begun(cls, world: World) -> Story:
        """Put rows into folders, and begin to score them."""
        stage = Stage(world, "data")
        for number in range(FOLDERS):
            ids = range(number * ROWS, (number + 1) * ROWS)
            rows = (f"{row},{row if row % UNFIT else 'none'}\n" for row in ids)
            stage.desk.put_at(folder(number), "id,x\n" + "".join(rows))
        model = stage.desk.model(world.models.scripted(doubled))
        return cls(stage, stage.start("mapped", bucket=stage.prefix, model=model))

    def until_ended(self) -> Seen:
        self.stage.until(
            lambda: self.stage.api.run_state(self.run) in ENDED,
            "the run to end",
            shows=lambda: self.stage.api.tasks(self.run, ASSOCIATE),
        )
        tasks = {name: self.stage.api.tasks(self.run, name) for name in (PREPARE, ASSOCIATE)}
        bodies = {key.removeprefix(TABLE): self.stage.desk.get(key) for key in self.stage.desk.keys(TABLE)}
        tables = {name: pq.read_table(io.BytesIO(body)) for name, body in bodies.items() if name.endswith(".parquet")}
        live = [row for name, table in tables.items() if "/" not in name for row in table.to_pylist()]
        return Seen(
            state=self.stage.api.run_state(self.run),
            tries={name: [task.try_number for task in found if alive(task)] for name, found in tasks.items()},
            removed=[task.map_index for task in tasks[PREPARE] if not alive(task)],
            bodies=bodies,
            rows={int(row["id"]): row["score"] for row in live},
            dead=[int(row["id"]) for name, table in tables.items() if "/" in name for row in table.to_pylist()],
            jobs=len(self.stage.jobs()),
        )

    def kill_a_share(self) -> frozenset[str]:
        """Kill the process of a share as soon as a part of it is there, and tell what of the table was there then."""

        def running() -> Task | None:
            tasks = self.stage.api.tasks(self.run, ASSOCIATE)
            found = tasks[KILLED] if len(tasks) == SHARES else None
            return found if found and found.state == "running" and found.pid else None

        pid = self.stage.until(running, "the share to begin").pid
        assert pid is not None
        with halted(pid) as go_on:
            while not any(number % SHARES == KILLED for number in self._parts()):
                go_on()
            os.kill(pid, signal.SIGKILL)
            return frozenset(self.stage.desk.keys(TABLE))

    def _parts(self) -> list[int]:
        return [int(key[-13:-8]) for key in self.stage.desk.keys(f"{TABLE}part-")]


def alive(task: Task) -> bool:
    return task.state != "removed"


@contextmanager
def halted(pid: int) -> Iterator[Callable[[], None]]:
    """Stop a process; what this gives lets it go on for a moment."""

    def go_on() -> None:
        os.kill(pid, signal.SIGCONT)
        time.sleep(STEP)
        os.kill(pid, signal.SIGSTOP)

    os.kill(pid, signal.SIGSTOP)
    yield go_on


@pytest.fixture(scope="module")
def story(world: World) -> Story:
    return Story.begun(world)


@pytest.fixture(scope="module")
def when_killed(story: Story) -> frozenset[str]:
    return story.kill_a_share()


@pytest.fixture(scope="module")
def whole(story: Story, when_killed: frozenset[str]) -> Seen:
    """The table after one of its shares was killed, and tried again."""
    return story.until_ended()


@pytest.fixture(scope="module")
def cleared(story: Story, whole: Seen) -> Seen:
    """The table after one instance of each mapped task has done its work once more."""
    for name in (PREPARE, ASSOCIATE):
        story.stage.api.clear(story.run, [(name, 1)])
        seen = story.until_ended()
    return seen


@pytest.fixture(scope="module")
def fewer(story: Story, cleared: Seen) -> Seen:
    """The table after some of the folders have gone, and the run was cleared."""
    for number in range(LEFT, FOLDERS):
        story.stage.world.engine.s3.delete_object(Bucket=story.stage.prefix, Key=folder(number))
    story.stage.api.clear(story.run, ["folders"], downstream=True)
    return story.until_ended()


def rows_are_those_of(seen: Seen, folders: int) -> None:
    """Expect each row that could be prepared once, beside its own answer or among the dead ones."""
    ids = ids_in(folders)
    assert seen.state == "success"
    assert seen.rows == {number: 2 * number for number in ids if number % REFUSED}
    assert sorted(seen.dead) == [number for number in ids if not number % REFUSED]
    assert {"_SUCCESS", "_manifest.json"} <= set(seen.bodies)


def test_a_share_that_is_killed_is_written_by_its_next_try(when_killed: frozenset[str], whole: Seen) -> None:
    assert f"{TABLE}_SUCCESS" not in when_killed
    assert whole.tries == {PREPARE: [1] * FOLDERS, ASSOCIATE: [2 if one == KILLED else 1 for one in range(SHARES)]}
    rows_are_those_of(whole, FOLDERS)
    assert whole.jobs == 1


def test_cleared_instances_write_the_same_bytes_and_pay_nothing(whole: Seen, cleared: Seen) -> None:
    assert (cleared.state, cleared.tries) == ("success", {PREPARE: [1, 2, 1], ASSOCIATE: [1, 3]})
    assert cleared.bodies == whole.bodies
    assert cleared.jobs == 1


def test_what_instances_prepared_that_are_no_more_is_not_in_the_table(cleared: Seen, fewer: Seen) -> None:
    assert fewer.removed == list(range(LEFT, FOLDERS))
    rows_are_those_of(fewer, LEFT)
    assert len(fewer.bodies) < len(cleared.bodies)
    assert fewer.jobs == 1
