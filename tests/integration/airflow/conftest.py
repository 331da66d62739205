"""A real Airflow in this process: its database, and DAG runs from beginning to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.sdk import DAG

from tests.fake_sagemaker import FakeSageMaker, served

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
        session.add(DagBundleModel(name=BUNDLE))


@pytest.fixture
def run_dag(airflow_database: None) -> RunDag:
    """Run a DAG as `dag.test()` does: real task runner, real XComs, triggers in line."""
    return finished


def finished(dag: DAG) -> Finished:
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
    run = dag.test()
    with create_session() as session:
        for ti in run.get_task_instances(session=session):
            name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
            found.states[name] = str(ti.state)
            found.results[name] = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index, session=session)
    return found


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSageMaker]:
    """A SageMaker that this process reaches as it would reach any: by its environment."""
    fake = FakeSageMaker()
    with served(fake) as url:
        environment = {
            "AWS_ENDPOINT_URL_SAGEMAKER": url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing", "NO_PROXY": "127.0.0.1", "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        }  # fmt: skip
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield fake
