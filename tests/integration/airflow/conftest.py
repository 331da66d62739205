"""A real Airflow in this process: its database, and DAG runs from beginning to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_batchtx.sagemaker.joblogs import GROUP
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.prepared import INPUT_PATH
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.s3 import S3Store
from tests.conftest import aws_session, s3_client_of
from tests.fake_batch import FakeBatch
from tests.fake_sagemaker import REQUEST, served

BUNDLE = "testing"


@dataclass
class Finished:
    """A DAG run that has ended: the state and the result of every task by its id (and map index), and what failed."""

    states: dict[str, str] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, BaseException] = field(default_factory=dict)


RunDag = Callable[[DAG], Finished]


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Make Airflow's tables, in the home that tests/conftest.py gave it."""
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    with create_session() as session:
        # It may be there: the example DAGs' folder has this fixture too, and tests of both may share a process.
        session.merge(DagBundleModel(name=BUNDLE))


@pytest.fixture
def run_dag(airflow_database: None) -> RunDag:
    """Run a DAG as `dag.test()` does: real task runner, real XComs, triggers in line."""
    return finished


def finished(dag: DAG, conf: Mapping[str, Any] | None = None) -> Finished:
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG, SerializedDAG
    from airflow.utils.session import create_session

    found = Finished()

    def failed(context: Any) -> None:
        found.errors[context["ti"].task_id] = context["exception"]

    for task in dag.tasks:
        task.on_failure_callback = [failed]
    with create_session() as session:
        # dag.test() looks for its DAG among those that Airflow has parsed from a bundle.
        SerializedDAG.bulk_write_to_db(BUNDLE, None, [dag], session=session)
        SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name=BUNDLE, session=session)
    run = dag.test(run_conf=dict(conf) if conf else None)
    with create_session() as session:
        for ti in run.get_task_instances(session=session):
            name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
            found.states[name] = str(ti.state)
            found.results[name] = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index, session=session)
    return found


class SpeakingBatch(FakeBatch):
    """Its jobs that fail say in a real CloudWatch that the model refused their first object."""

    def __init__(self, store: ObjectStore, logs: Any) -> None:
        super().__init__(store)
        self.logs = logs
        self.clock = time.time

    def add(self, name: str, life: Sequence[str], request: Mapping[str, Any] = REQUEST) -> None:
        super().add(name, life, request)
        if "Failed" in life:
            self._say(name, next(self.store.objects(S3Uri.parse(wire.at(request, INPUT_PATH)))).uri)

    def _say(self, name: str, refused: S3Uri) -> None:
        place = {"logGroupName": GROUP, "logStreamName": f"{name}/i-0123456789abcdef0-1795435200/data-log"}
        with suppress(self.logs.exceptions.ResourceAlreadyExistsException):
            self.logs.create_log_group(logGroupName=GROUP)
        self.logs.create_log_stream(**place)
        about = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S}.000:[sagemaker logs]: {refused.bucket}/{refused.key}"
        texts = [f"{about}: {said}" for said in ("ClientError: 400", "", "Message:", "no column x")]
        now = int(time.time() * 1000)
        self.logs.put_log_events(logEvents=[{"timestamp": now, "message": text} for text in texts], **place)


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch, s3_endpoint: str, bucket: str) -> Iterator[FakeBatch]:
    """A SageMaker that this process reaches as it would reach any, by its environment, and `in/` of a bucket for it."""
    store = S3Store(s3_client_of(s3_endpoint))
    for name in "abc":
        store.put(S3Uri(bucket, f"in/{name}.csv"), b"1,2\n")
    fake = SpeakingBatch(store, aws_session().client("logs", endpoint_url=s3_endpoint))
    with served(fake) as url:
        environment = {
            "AWS_ENDPOINT_URL": s3_endpoint, "AWS_ENDPOINT_URL_SAGEMAKER": url, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "NO_PROXY": "127.0.0.1",
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        }  # fmt: skip
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield fake
