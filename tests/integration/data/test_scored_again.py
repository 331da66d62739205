"""Prepare, transform and associate on the real engine, more than once in one run: what is paid for, and the table."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import JobFailed, StaleOutput
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator
from tests.engines import Desk, Invocation, Reply
from tests.fake_airflow import FakeTaskInstance

ROWS = tuple(f"{number},{'x' * (number % 7 + 1)}" for number in range(900))
SHARD_ROWS = 300
CHANGED = (*ROWS[:450], "450,yyyyyyyyyy", *ROWS[451:])


def lengths(body: bytes) -> bytes:
    return b"".join(b"%d\n" % len(line) for line in body.splitlines())


@dataclass
class Run:
    """One run of a DAG with the three tasks. `trouble` makes the model refuse what it finds in a request."""

    desk: Desk
    trouble: Callable[[bytes], bool] = lambda _: False
    answered: Counter[bytes] = field(default_factory=Counter)
    results: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = f"s3://{self.desk.bucket}"
        self.model = self.desk.model(self.desk.models.scripted(self._answer))

    def _answer(self, invocation: Invocation) -> Reply:
        if self.trouble(invocation.body):
            return 400, b"not these"
        self.answered[invocation.body] += 1
        return 200, lengths(invocation.body)

    def prepare(self, rows: Sequence[str] = ROWS) -> None:
        self.desk.put_at("lake/a.csv", "\n".join(["id,text", *rows, ""]))
        task = PrepareInputOperator(
            task_id="prepare", source=f"{self.home}/lake/", output=f"{self.home}/staged/", keep=["id"],
            shard_rows=SHARD_ROWS,
        )  # fmt: skip
        self.results["prepare"] = task.execute({})

    def transform(self, *, cleared: int = 0) -> dict[str, Any]:
        job = TransformJob(
            model_name=self.model,
            input=self.results["prepare"],
            output=f"{self.home}/out/",
            instance_type="ml.m5.large",
            instance_count=1,
            batch_strategy="MultiRecord",
        )
        task = BatchTransformOperator(task_id="transform", job=job, deferrable=False, poll_interval=0.5)
        ti: Any = FakeTaskInstance(task_id="transform", run_id=self.desk.bucket, max_tries=cleared)
        self.results["transform"] = task.execute({"ti": ti})
        result: dict[str, Any] = self.results["transform"]
        return result

    def associate(self) -> pa.Table:
        options: Any = {"result": self.results["transform"], "output": f"{self.home}/scored/"}
        AssociateOutputOperator(task_id="associate", **options).execute({})
        return pa.concat_tables(pq.read_table(io.BytesIO(body)) for body in self.scored("part-").values())

    def scored(self, prefix: str = "") -> dict[str, bytes]:
        return {key: self.desk.get(key) for key in self.desk.keys(f"scored/{prefix}")}

    @property
    def jobs(self) -> list[str]:
        """The names of this run's jobs."""
        found = self.desk.client.list_transform_jobs(NameContains="churn", SortOrder="Ascending")
        names = [job["TransformJobName"] for job in found["TransformJobSummaries"]]
        models = {name: self.desk.client.describe_transform_job(TransformJobName=name)["ModelName"] for name in names}
        return [name for name in names if models[name] == self.model]


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Run:
    environment = {
        "AWS_ENDPOINT_URL": desk.engine.storage, "AWS_ENDPOINT_URL_SAGEMAKER": desk.engine.url,
        "NO_PROXY": "127.0.0.1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing", "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Run(desk)


def expected(rows: Sequence[str]) -> dict[str, list[Any]]:
    cells = [row.split(",") for row in rows]
    return {"id": [key for key, _ in cells], "prediction": [len(text) for _, text in cells]}


def test_the_same_data_again_costs_nothing_and_gives_the_same_bytes(run: Run) -> None:
    run.prepare()
    first = run.transform()
    assert run.associate().to_pydict() == expected(ROWS)
    before = run.scored()

    run.prepare()
    again = run.transform(cleared=1)
    run.associate()

    assert (again["job_name"], again["reused"], again["objects_done"]) == (first["job_name"], True, 3)
    assert (run.jobs, run.answered.total(), set(run.answered.values())) == ([first["job_name"]], 3, {1})
    assert run.scored() == before


def test_one_changed_row_sends_one_shard(run: Run) -> None:
    run.prepare()
    first = run.transform()
    run.associate()

    run.prepare(CHANGED)
    with pytest.raises(StaleOutput, match=r"out/part-00001\.csv\.out"):
        run.associate()
    second = run.transform(cleared=1)

    assert run.associate().to_pydict() == expected(CHANGED)
    assert run.jobs == [first["job_name"], second["job_name"]] == [first["job_name"], f"{first['job_name']}-2"]
    assert (second["attempts"], second["objects"], second["objects_done"]) == (2, 3, 3)
    [sent] = [body for body in run.answered if b"y" in body]
    assert len(sent.splitlines()) == SHARD_ROWS
    assert run.answered.total() == 4


def test_outputs_of_two_attempts_make_one_table(run: Run) -> None:
    run.trouble = lambda body: b"yy" in body
    run.prepare(CHANGED)
    with pytest.raises(JobFailed):
        run.transform()
    run.trouble = lambda _: False

    result = run.transform()

    assert run.associate().to_pydict() == expected(CHANGED)
    assert (result["attempts"], set(run.answered.values()), run.answered.total()) == (2, {1}, 3)
