"""One table by several tasks, or several tables by one: mapped tasks, as a DAG writes them."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from airflow_batchtx.association.request import OPTIONS, AssociateRequest
from airflow_batchtx.errors import InvalidInput
from airflow_batchtx.operators.data import AssociateOutputOperator, _kept_as, shares
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_airflow import FakeTaskInstance
from tests.fakes import InMemoryStore

RESULT = {"job_name": "j", "status": "Completed", "input": "s3://b/in/", "output": "s3://b/out/", "accept": "text/csv"}


@pytest.fixture
def dag() -> DAG:
    return DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"))


@pytest.fixture
def store() -> InMemoryStore:
    objects = {f"s3://b/in/{number}.csv": b"x\n" for number in range(3)}
    answers = {f"s3://b/out/{number}.csv.out": b"%d\n" % number for number in range(3)}
    return InMemoryStore({**objects, **answers})


def written(store: InMemoryStore) -> set[str]:
    return {found.uri.key.removeprefix("scored/") for found in store.objects(S3Uri("b", "scored/"))}


def test_mapped_over_shares_tasks_write_one_table(dag: DAG, store: InMemoryStore) -> None:
    mapped = AssociateOutputOperator.partial(
        task_id="a", dag=dag, result=RESULT, output="s3://b/scored/", predictions={"p": "int64"}
    ).expand(share=shares(2))

    told = []
    for index, share in enumerate(shares(2)):
        task: Any = mapped.unmap({"share": share})
        task.store = store
        ti: Any = FakeTaskInstance(map_index=index)
        told.append(task.execute({"ti": ti}))

    assert [(output["output"], output["share"], output["rows"]) for output in told] == [
        ("s3://b/scored/", "1/2", 2),
        ("s3://b/scored/", "2/2", 1),
    ]
    assert written(store) == {"_SUCCESS", "_manifest.json", *(f"part-0000{number}.parquet" for number in range(3))}


def test_mapped_over_results_each_task_writes_a_table_of_its_own(dag: DAG, store: InMemoryStore) -> None:
    mapped = AssociateOutputOperator.partial(task_id="a", dag=dag, output="s3://b/scored/").expand(result=[RESULT] * 2)
    for index in range(2):
        task: Any = mapped.unmap({"result": RESULT})
        task.store = store
        ti: Any = FakeTaskInstance(map_index=index)
        assert task.execute({"ti": ti})["output"] == f"s3://b/scored/map-0000{index}/"

    assert {name.partition("/")[0] for name in written(store)} == {"map-00000", "map-00001"}


@pytest.mark.parametrize("predictions", [None, ["p"]])
def test_shares_without_types_are_refused_when_the_dag_is_parsed(predictions: Any) -> None:
    with pytest.raises(InvalidInput, match="types"):
        AssociateOutputOperator(
            task_id="a", result=RESULT, output="s3://b/scored/", predictions=predictions, share="1/2"
        )


def test_every_option_of_a_request_is_one_of_the_task() -> None:
    values = {"result": RESULT, "output": "s3://b/scored/"}
    task: Any = AssociateOutputOperator(task_id="a", **values)

    told = {name: getattr(task, _kept_as(name)) for name in OPTIONS}
    assert AssociateRequest.read(told) == AssociateRequest.read(values)
    assert {_kept_as(name) for name in OPTIONS} <= set(task.template_fields)


def test_there_are_as_many_shares_as_are_asked_for() -> None:
    assert shares(3) == ["1/3", "2/3", "3/3"]
    assert shares(1) == ["1/1"]
