"""DAGs that events start: S3's notifications and EventBridge's events, twice, at the wrong time, and of the wrong kind.

Every message is sent as it is on AWS: by S3 when an object is put, by the engine when a job ends.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.events.arrivals import arrivals
from tests.e2e.airflow.stage import BUCKET, ENDED, World
from tests.engines import Desk, Invocation, Reply
from tests.queues import ARRIVALS, invoked, make_queues, send, sqs, tell_of_no_more_jobs, url_of, waiting

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.e2e_airflow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc to find processes"),
]

T = TypeVar("T")
ON_ARRIVAL, AFTER_JOBS = "score_on_arrival", "after_any_job"
FOLDER = "late-payments/arrivals/"
PREFIX = ON_ARRIVAL.replace("_", "-")
ROWS = 4  # of a file
# Seconds that nothing has to happen in.
PATIENCE = 300


@dataclass
class Arrivals:
    """What has arrived in the bucket, and what became of it."""

    world: World
    files: list[str] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.desk = Desk(self.world.engine, self.world.models, BUCKET)
        container = {"Image": self.world.models.scripted(self._answer)}
        self.desk.client.create_model(
            ModelName="late-payments", ExecutionRoleArn="arn:aws:iam::123456789012:role/a", PrimaryContainer=container
        )

    def _answer(self, invocation: Invocation) -> Reply:
        """Give back each row's first cell, once that is released."""
        self.entered.set()
        self.released.wait(2 * PATIENCE)
        return 200, b"".join(line.split(b",")[0] + b"\n" for line in invocation.body.splitlines())

    def put(self, *names: str) -> None:
        """Let files of holders of their own arrive, all at once."""
        for name in names:
            first = ROWS * len(self.files)
            rows = "".join(f"{first + row},1,{100 + first + row},7,33\n" for row in range(ROWS))
            self.files.append(name)
            self.desk.put_at(FOLDER + name, "holder,late_september,late_april,bill_april,age\n" + rows)

    def notification(self, name: str) -> dict[str, Any]:
        """The very notification that S3 has sent of a file."""
        etag = self.desk.engine.s3.head_object(Bucket=BUCKET, Key=FOLDER + name)["ETag"].strip('"')
        told = {"bucket": {"name": BUCKET}, "object": {"key": FOLDER + name, "eTag": etag}}
        return {
            "Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "now", "s3": told}]
        }

    def is_told_of(self, name: str) -> bool:
        """Tell whether an event of the asset has told Airflow of a file."""
        found = self.world.stack.api.get("/assets/events", limit=100)["asset_events"]
        batches = [event["extra"]["payload"]["events"] for event in found if event["name"] == "batchtx_arrivals"]
        return any(told["uri"] == f"s3://{BUCKET}/{FOLDER}{name}" for batch in batches for told in batch)

    def left(self) -> int:
        """How many messages lie in the queue, or beside it for good."""
        return sum(waiting(self.world.engine, name) for name in (ARRIVALS, f"{ARRIVALS}-dead"))

    def runs(self, dag_id: str = ON_ARRIVAL) -> dict[str, str]:
        """The runs of a DAG, by their ids, and their states."""
        found = self.world.stack.api.get(f"/dags/{dag_id}/dagRuns", limit=100)["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in found}

    def jobs(self) -> int:
        """How many jobs were paid for."""
        return self.world.gate.calls("CreateTransformJob", PREFIX).total()

    def scored(self) -> dict[int, int]:
        """All that was scored: for each holder the answer, which has to be its own row's and the only one."""
        keys = [
            key for key in self.desk.keys("late-payments/arrived/") if "/scored/" in key and key.endswith(".parquet")
        ]
        table = pa.concat_tables(pq.read_table(io.BytesIO(self.desk.get(key))) for key in keys) if keys else None
        rows = table.to_pylist() if table is not None else []
        found = {row["holder"]: row["prediction"] for row in rows}
        assert len(found) == len(rows), "a row was scored twice"
        return found

    def expected(self) -> dict[int, int]:
        return {holder: 100 + holder for holder in range(ROWS * len(self.files))}

    def until(self, condition: Callable[[], T], what: str) -> T:
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            self.world.stack.check()
            assert time.monotonic() < deadline, f"waited for {what} in vain\n{self.story()}"
            time.sleep(0.2)
        return found

    def until_all_is_scored(self) -> None:
        def done() -> bool:
            return set(self.runs().values()) <= set(ENDED) and self.scored() == self.expected()

        self.until(done, "all files to be scored")

    def story(self) -> str:
        stack = self.world.stack
        parts = (stack.parts[name].tail(40) for name in ("dag-processor", "triggerer"))
        known = [dag_id for dag_id in (ON_ARRIVAL, AFTER_JOBS) if dag_id in stack.api.dags()]
        ran = [(dag_id, run_id) for dag_id in known for run_id in self.runs(dag_id)]
        return "\n".join((*parts, *(f"{one}\n{stack.task_log(*one)}" for one in ran)))


class Notebook(NamedTuple):
    """The names of jobs that somebody has started without Airflow: one that Completes, and one whose model fails."""

    good: str
    bad: str


@pytest.fixture(scope="module")
def here(world: World) -> Iterator[Arrivals]:
    make_queues(world.engine, BUCKET)
    here = Arrivals(world)
    here.until(lambda: {ON_ARRIVAL, AFTER_JOBS} <= set(world.stack.api.dags()), "the DAGs to be parsed")
    yield here
    here.released.set()
    tell_of_no_more_jobs(world.engine)


@pytest.fixture(scope="module", autouse=True)
def notebook(here: Arrivals) -> Notebook:
    """Start the jobs at once: what comes of them takes its time beside all else."""
    desk = here.desk
    desk.put_at("notebook/a.csv", "1,2\n3,4\n")
    source = {"S3Uri": f"s3://{BUCKET}/notebook/", "SplitType": "Line", "AssembleWith": "Line"}
    good = desk.start(desk.model(desk.models.url("numbered")), S3OutputPath=f"s3://{BUCKET}/notebook-out/", **source)
    bad = desk.start(
        desk.model(desk.models.url("broken")), S3OutputPath=f"s3://{BUCKET}/notebook-bad/",
        ModelClientConfig={"InvocationsMaxRetries": 0}, **source,
    )  # fmt: skip
    return Notebook(good, bad)


def test_what_arrives_is_scored_once_and_nothing_is_forgotten(here: Arrivals) -> None:
    here.put("a.csv", "b.csv", "c d+ü.csv")
    here.until(here.entered.is_set, "the first job to run")

    # While the DAG has a run: what was told already, what is no event of S3, and two files, one after the other.
    send(here.world.engine, ARRIVALS, here.notification("a.csv"))
    send(here.world.engine, ARRIVALS, "no JSON")
    send(here.world.engine, ARRIVALS, {"detail-type": "Scheduled Event", "source": "aws.events"})
    here.put("d.csv")
    here.until(lambda: here.is_told_of("d.csv"), "the second batch")
    here.put("e.csv")
    here.until(lambda: here.is_told_of("e.csv"), "the third batch")
    here.released.set()

    here.until_all_is_scored()
    assert here.jobs() == 2
    assert here.left() == 2, "what nobody understands is left, for the dead-letter queue"


def test_an_object_that_lambda_tells_of_as_well_is_scored_once(here: Arrivals, tmp_path: Path) -> None:
    before = here.jobs()
    here.put("f.csv")
    event = here.notification("f.csv")
    (arrival,) = arrivals(event)
    variables = {
        "AIRFLOW_URL": here.world.stack.environment["AIRFLOW__API__BASE_URL"], "DAG_ID": ON_ARRIVAL,
        "AIRFLOW_USERNAME": "admin", "AIRFLOW_PASSWORD": "admin", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    queued = {"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(event)}]}

    answers = invoked(tmp_path, "start_dag_run", variables, event, event, queued)

    assert answers == [{"batchItemFailures": []}] * 3
    assert f"arrival__{arrival.id}" in here.runs()
    here.until(lambda: here.is_told_of("f.csv"), "S3's own message")
    here.until_all_is_scored()
    assert here.jobs() == before + 1


def test_a_job_that_somebody_else_started_is_looked_after_when_it_ends(here: Arrivals, notebook: Notebook) -> None:
    desk, good, bad = here.desk, notebook.good, notebook.bad

    here.until(lambda: f"any-job/{good}/_SUCCESS" in desk.keys(f"any-job/{good}/"), "the table of the good job")

    (part,) = [key for key in desk.keys(f"any-job/{good}/") if key.endswith(".parquet")]
    assert pq.read_table(io.BytesIO(desk.get(part)))["prediction"].to_pylist() == [3, 3]

    def failed() -> str:
        """Give the log of the run that the bad job has failed."""
        ended = [run for run, state in here.runs(AFTER_JOBS).items() if state == "failed"]
        logs = (here.world.stack.task_log(AFTER_JOBS, run) for run in ended)
        return next((log for log in logs if bad in log), "")

    assert "ZeroDivisionError" in here.until(failed, "the other one to be told of")
    # A task's own job is its own affair.
    assert PREFIX not in "".join(here.world.stack.task_log(AFTER_JOBS, run) for run in here.runs(AFTER_JOBS))


@pytest.mark.nightly
def test_a_triggerer_that_dies_with_a_message_in_its_hands_loses_nothing(here: Arrivals) -> None:
    queue = {"QueueUrl": url_of(here.world.engine, ARRIVALS)}
    hidden = "ApproximateNumberOfMessagesNotVisible"
    sqs(here.world.engine).purge_queue(**queue)
    here.released.set()
    triggerer = here.world.stack.parts["triggerer"]
    here.put("g.csv")

    def is_in_hand() -> bool:
        found = sqs(here.world.engine).get_queue_attributes(**queue, AttributeNames=[hidden])["Attributes"]
        return int(found[hidden]) > 0

    here.until(is_in_hand, "the message to be received")
    triggerer.kill()
    assert not here.is_told_of("g.csv")
    triggerer.start()

    here.until(lambda: here.is_told_of("g.csv"), "the message to come again")
    here.until_all_is_scored()
