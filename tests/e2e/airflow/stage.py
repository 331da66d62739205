"""What one scenario has of its own on the common stack: jobs, a bucket, and a model that answers when it is told to."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from tests.e2e.airflow.api import AirflowApi, Run, Task
from tests.e2e.airflow.gate import Gate
from tests.e2e.airflow.stack import Stack
from tests.engines import Desk, Engine, Invocation, Models, Reply

T = TypeVar("T")
TASK = "score"
# Where the example DAGs find their data.
BUCKET = "examples"
ENDED = ("success", "failed")
# Seconds. What takes two on an idle machine takes a minute beside other tests; no scenario waits for this to pass.
PATIENCE = 300


@dataclass(frozen=True)
class Tally:
    """What became of a scenario's jobs: how many were created, how often a stop was asked for, how many still run."""

    created: int
    stops: int
    running: int


@dataclass
class World:
    """What all scenarios share."""

    stack: Stack
    gate: Gate
    engine: Engine
    models: Models
    ending: threading.Event = field(default_factory=threading.Event)
    """Set while scenarios are broken off: whoever still waits for something waits in vain."""


@dataclass
class Stage:
    """One scenario's part of the world; `way` begins the names of the DAGs that it runs."""

    world: World
    way: str
    prefix: str = field(default_factory=lambda: f"s{uuid4().hex[:8]}")
    runs: list[Run] = field(default_factory=list)
    expected: Tally | None = None
    reply: Reply | None = None
    """What the model answers; None for what it was asked."""
    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.world.engine.s3.create_bucket(Bucket=self.prefix)
        self.desk = Desk(self.world.engine, self.world.models, self.prefix)
        self.desk.put_at("in/rows.csv", "1,2\n3,4\n")
        self.model = self.desk.model(self.world.models.scripted(self._answer))

    @property
    def api(self) -> AirflowApi:
        return self.world.stack.api

    @property
    def gate(self) -> Gate:
        return self.world.gate

    def _answer(self, invocation: Invocation) -> Reply:
        self.entered.set()
        self.released.wait(2 * PATIENCE)
        return self.reply or (200, invocation.body)

    # ------------------------------------------------------------------------------------------------------ its jobs

    def request(self, name: str = "", **members: Any) -> dict[str, Any]:
        """A request for a job over the scenario's input; `name` tells its output from that of others."""
        known: dict[str, Any] = {
            "TransformJobName": self.prefix,
            "SplitType": "Line",
            "S3OutputPath": f"s3://{self.prefix}/out/{name}",
            "ModelClientConfig": {"InvocationsTimeoutInSeconds": 3600, "InvocationsMaxRetries": 0},
        }
        return self.desk.request(self.model, **{**known, **members})

    def idle_request(self, name: str) -> dict[str, Any]:
        """A request for a job that takes no process of the machine, and never gets its instances."""
        return self.request(name, Environment={"BATCHTX_FAULTS": json.dumps({"provisioning_seconds": 3600})})

    def jobs(self) -> list[Mapping[str, Any]]:
        """The scenario's jobs, as SageMaker lists them."""
        pages = self.desk.client.get_paginator("list_transform_jobs").paginate(NameContains=self.prefix)
        return [job for page in pages for job in page["TransformJobSummaries"]]

    def release(self) -> None:
        """Let the model answer, from now on."""
        self.released.set()

    def hold(self) -> None:
        """Let the model wait again, as it does in the beginning."""
        self.entered.clear()
        self.released.clear()

    def tally(self) -> Tally:
        jobs = self.jobs()
        return Tally(
            created=len(jobs),
            stops=self.gate.calls("StopTransformJob", self.prefix).total(),
            running=sum(job["TransformJobStatus"] in ("InProgress", "Stopping") for job in jobs),
        )

    def ends_with(self, created: int, stops: int, running: int = 0, *, patience: float = PATIENCE) -> None:
        """Expect these numbers, from now on for good: they are looked at again once all scenarios are over."""
        self.expected = expected = Tally(created, stops, running)

        def reached() -> bool:
            now = self.tally()
            assert now.created <= created, f"{now}, not {expected}"
            assert now.stops <= stops, f"{now}, not {expected}"
            return now == expected

        self.until(reached, f"{expected}", shows=self.tally, patience=patience)

    # ------------------------------------------------------------------------------------------------- its DAG runs

    def start(self, dag: str, **conf: Any) -> Run:
        run = self.api.trigger(f"{self.way}_{dag}", conf or {"job": self.request()})
        self.runs.append(run)
        return run

    def start_day(self, dag: str, day: datetime, **conf: Any) -> Run:
        run = self.api.trigger(f"{self.way}_{dag}", conf, day)
        self.runs.append(run)
        return run

    def task(self, run: Run) -> Task:
        return self.api.task(run, TASK)

    def waits(self, run: Run, try_number: int = 1) -> Task:
        """Wait until this try of the task waits for a job that runs, on a worker or in a triggerer."""

        def begun() -> Task | None:
            task = self.task(run)
            state = "deferred" if self.way == "deferrable" else "running"
            return task if (task.state, task.try_number) == (state, try_number) and self.entered.is_set() else None

        task = self.until(begun, f"try {try_number} to begin", shows=lambda: self.task(run))
        looks = self._looks()
        self.until(
            lambda: self.is_deferred(run, task) if self.way == "deferrable" else self._looks() >= looks + 2,
            f"try {try_number} to wait for its job",
            shows=lambda: self.task(run),
        )
        return self.task(run)

    def is_deferred(self, run: Run, task: Task) -> bool:
        """Tell whether a task has left its worker for good, and has come to a triggerer."""
        done = self.world.stack.executor_is_done_with(run.dag_id, run.run_id, task)
        return done and self.triggers(run, task) > 0

    def _looks(self) -> int:
        """How often anybody has looked at the scenario's jobs."""
        return self.gate.calls("DescribeTransformJob", self.prefix).total()

    def triggers(self, run: Run, task: Task) -> int:
        """How many triggers of this try have begun; one that is in the database only is in no triggerer yet."""
        folder = self.world.stack.logs(run.dag_id, run.run_id) / f"task_id={TASK}"
        if task.map_index >= 0:
            folder /= f"map_index={task.map_index}"
        logs = folder.glob(f"attempt={task.try_number}.log.trigger.*.log")
        return sum(path.read_text().count(' starting"') for path in logs)

    def ends(self, run: Run, state: str, try_number: int = 1) -> Task:
        """Wait until the run has ended, with this try and in this state."""

        def ended() -> Task | None:
            task = self.task(run)
            return task if task.state in ENDED and self.api.run_state(run) in ENDED else None

        task = self.until(ended, "the run to end", shows=lambda: self.task(run))
        assert (task.state, task.try_number) == (state, try_number), f"{task}, not {state} in try {try_number}"
        return task

    def result(self, run: Run, job_name: str, outputs: int = 1) -> None:
        """Expect the result of a job that Completed, and its outputs."""
        found = self.api.xcom(run, TASK)
        assert (found["status"], found["job_name"]) == ("Completed", job_name)
        assert len(self.desk.keys(found["output"].removeprefix(f"s3://{self.prefix}/"))) == outputs

    def said(self, run: Run, words: str) -> bool:
        """Tell whether a task of the run has logged these words."""
        return words in self.world.stack.task_log(run.dag_id, run.run_id)

    # ---------------------------------------------------------------------------------------------------- violence

    def worker(self, run: Run) -> tuple[int, int]:
        """The process that runs the task, and the one that supervises it: with the LocalExecutor, its worker."""
        task = self.until(
            lambda: found if (found := self.task(run)).state == "running" and found.pid else None, "a pid"
        )
        assert task.pid is not None
        parent = int(Path(f"/proc/{task.pid}/stat").read_text().rpartition(")")[2].split()[1])
        return task.pid, parent

    def kill_task(self, run: Run) -> None:
        """Kill the task's process, as a machine does that is out of memory."""
        os.kill(self.worker(run)[0], signal.SIGKILL)

    # ------------------------------------------------------------------------------------------------------ waiting

    def until(
        self,
        condition: Callable[[], T | None],
        what: str,
        *,
        shows: Callable[[], Any] = str,
        patience: float = PATIENCE,
    ) -> T:
        """Wait for a condition to hold, and give what it gave."""
        deadline = time.monotonic() + patience
        while not (found := condition()):
            self.world.stack.check()
            assert time.monotonic() < deadline, f"waited for {what} in vain: {shows()}"
            assert not self.world.ending.wait(0.2), f"waited for {what} when the session ended"
        return found

    def story(self) -> str:
        """What happened, for whoever has to find out why it was not what should have."""
        calls = {name: dict(self.gate.calls(name, self.prefix)) for name in ("CreateTransformJob", "StopTransformJob")}
        jobs = {job["TransformJobName"]: job["TransformJobStatus"] for job in self.jobs()}
        stack = self.world.stack
        logs = (f"{stack.task_log(run.dag_id, run.run_id)}\n{stack.complaints(run.run_id)}" for run in self.runs)
        return "\n".join((f"jobs {jobs}", f"calls {calls}", *logs))
