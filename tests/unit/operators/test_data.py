"""The tasks around a transform job, as a DAG writes them."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction

from airflow_batchtx.errors import InvalidData, InvalidInput, StaleOutput
from airflow_batchtx.hooks.retrying import DATA_RETRY_POLICY
from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator, _kept_as
from airflow_batchtx.preparation.request import OPTIONS, PrepareRequest
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_airflow import FakeTaskInstance
from tests.fake_supervisor import supervised
from tests.fakes import InMemoryStore


@pytest.fixture
def dag() -> DAG:
    return DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"))


def test_everything_wrong_is_told_when_the_dag_is_parsed() -> None:
    with pytest.raises(InvalidInput) as caught:
        PrepareInputOperator(task_id="p", source="lake/", output="s3://b/in/", keep=["a", "a"], shard_bytes="many")
    assert {problem.field for problem in caught.value.problems} == {"source", "keep", "shard_bytes"}

    with pytest.raises(InvalidInput) as caught:
        AssociateOutputOperator(task_id="a", result="run", output="b", format="xls", predictions=[1])
    assert {problem.field for problem in caught.value.problems} == {"result", "output", "format", "predictions"}


def test_what_mapped_instances_have_alike_is_checked_when_the_dag_is_parsed() -> None:
    with pytest.raises(InvalidInput) as caught:
        PrepareInputOperator.partial(task_id="p", output="b", min_shards=0, types={"id": "int65"}, fill=None)

    assert {problem.field for problem in caught.value.problems} == {"output", "min_shards", "types"}

    with pytest.raises(InvalidInput) as caught:
        AssociateOutputOperator.partial(task_id="a", input="b", format="xls", max_dead=-1, result=None)

    assert {problem.field for problem in caught.value.problems} == {"input", "format", "max_dead"}


@pytest.mark.parametrize("alike", [{}, {"input": "s3://b/in/"}, {"job_name": "job-1"}, {"share": "1/2"}])
def test_what_only_mapped_instances_know_is_no_problem_of_a_dag(dag: DAG, alike: dict[str, Any]) -> None:
    mapped = AssociateOutputOperator.partial(task_id="a", dag=dag, **alike).expand(output=["s3://b/1/", "s3://b/2/"])

    assert mapped.task_id == "a"


def test_templates_are_rendered_wherever_they_stand(dag: DAG) -> None:
    task = PrepareInputOperator(
        task_id="p",
        dag=dag,
        source=["s3://lake/day={{ ds }}/"],
        output="s3://b/{{ ds }}/in/",
        keep=["{{ params.id }}"],
        types={"id": "{{ params.kind }}"},
        min_shards="{{ params.instances }}",
        region_name="{{ params.region }}",
    )
    params = {"id": "id", "kind": "int64", "instances": 2, "region": "eu-west-1"}

    task.render_template_fields({"ds": "2026-01-01", "params": params})

    assert task.source == ["s3://lake/day=2026-01-01/"]
    assert task.output_prefix == "s3://b/2026-01-01/in/"
    assert (task.keep, task.types) == (["id"], {"id": "int64"})
    assert (task.min_shards, task.region_name) == ("2", "eu-west-1")


def test_another_tasks_output_is_an_upstream(dag: DAG) -> None:
    prepare = PrepareInputOperator(task_id="p", dag=dag, source="s3://lake/", output="s3://b/in/")
    task = AssociateOutputOperator(task_id="a", dag=dag, result=prepare.output, output="s3://b/scored/")

    assert task.upstream_task_ids == {"p"}


def test_another_tasks_output_is_an_upstream_of_a_mapped_task_too(dag: DAG) -> None:
    prepare = PrepareInputOperator(task_id="p", dag=dag, source="s3://lake/", output="s3://b/in/")
    mapped = AssociateOutputOperator.partial(task_id="a", dag=dag, result=prepare.output).expand(
        output=["s3://b/1/", "s3://b/2/"]
    )

    assert mapped.upstream_task_ids == {"p"}


def test_tasks_can_be_mapped(dag: DAG) -> None:
    mapped = PrepareInputOperator.partial(task_id="p", dag=dag, keep=["id"]).expand_kwargs(
        [{"source": f"s3://lake/{day}/", "output": f"s3://b/{day}/"} for day in (1, 2)]
    )

    task = mapped.unmap({"source": "s3://lake/2/", "output": "s3://b/2/"})

    assert isinstance(task, PrepareInputOperator)
    assert (task.source, task.keep) == ("s3://lake/2/", ["id"])


def test_an_instance_whose_output_is_mapped_writes_just_there(dag: DAG) -> None:
    days: list[dict[str, Any]] = [{"source": f"s3://lake/{day}/", "output": f"s3://b/{day}/"} for day in (1, 2)]
    mapped = PrepareInputOperator.partial(task_id="p", dag=dag).expand_kwargs(days)
    task: Any = mapped.unmap(days[1])
    task.store = InMemoryStore({"s3://lake/2/a.csv": b"x\n1\n"}, buckets=["b"])
    ti: Any = FakeTaskInstance(map_index=1)

    with supervised():
        assert task.execute({"ti": ti})["manifest"] == "s3://b/2/manifest.json"


@pytest.mark.parametrize(
    ("output", "rendered", "index", "written"),
    [
        ("s3://b/in/", None, -1, "s3://b/in/"),
        ("s3://b/in/", None, 3, "s3://b/in/map-00003/"),
        ("s3://b/{{ ds }}", "s3://b/2026-01-01", 0, "s3://b/2026-01-01/map-00000/"),
        ("s3://b/{{ ti.map_index }}/", "s3://b/7/", 7, "s3://b/7/"),
    ],
)
def test_each_instance_of_a_mapped_task_writes_to_a_place_of_its_own(
    output: str, rendered: str | None, index: int, written: str
) -> None:
    task: Any = PrepareInputOperator(task_id="p", source="s3://lake/", output=output)
    task.output_prefix = rendered or output
    task.store = InMemoryStore({"s3://lake/a.csv": b"x\n1\n"}, buckets=["b"])
    ti: Any = FakeTaskInstance(map_index=index)

    with supervised():
        prepared = task.execute({"ti": ti})

    assert prepared["manifest"] == f"{written}manifest.json"


def test_every_option_of_a_request_is_one_of_the_task() -> None:
    values = {"source": "s3://lake/", "output": "s3://b/in/"}
    task: Any = PrepareInputOperator(task_id="p", **values)
    task.store = InMemoryStore({"s3://lake/a.csv": b"x\n1\n"}, buckets=["b"])

    assert PrepareRequest.read({name: getattr(task, _kept_as(name)) for name in OPTIONS}) == PrepareRequest.read(values)
    assert {_kept_as(name) for name in OPTIONS} <= set(task.template_fields)


def test_a_rendered_value_is_checked_before_anything_is_read() -> None:
    task: Any = PrepareInputOperator(task_id="p", source="{{ params.source }}", output="s3://b/in/")
    task.source = "lake"
    task.store = None

    with pytest.raises(InvalidInput):
        task.execute({})


def test_what_one_task_returns_the_next_one_takes() -> None:
    store = InMemoryStore({"s3://lake/a.csv": b"id,x\n7,1\n8,2\n"}, buckets=["b"])
    prepare: Any = PrepareInputOperator(task_id="p", source="s3://lake/", output="s3://b/in/", keep=["id"])
    prepare.store = store

    prepared = prepare.execute({})
    store.put(S3Uri("b", "out/part-00000.csv.out"), b"0.5\n0.25\n")
    result = {"job_name": "j", "status": "Completed", "output": "s3://b/out/", "rows": 2, "objects": 1}
    result |= {"input": prepared["input"], "prepared": prepared["manifest"]}
    associate: Any = AssociateOutputOperator(task_id="a", result=result, output="s3://b/scored/", format="csv")
    associate.store = store
    output = associate.execute({})

    assert store.get(S3Uri("b", "scored/part-00000.csv")) == b"id,prediction\n7,0.5\n8,0.25\n"
    assert output == {
        "output": "s3://b/scored/",
        "manifest": "s3://b/scored/_manifest.json",
        "rows": 2,
        "parts": 1,
        "columns": ["id", "prediction"],
        "job_name": "j",
        "dead_rows": 0,
        "dead_letters": None,
        "share": None,
        "tables": 1,
    }


OWN = ExceptionRetryPolicy(rules=[])
TASKS: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    (PrepareInputOperator, {"output": "s3://b/in/"}, {"source": "s3://lake/"}),
    (AssociateOutputOperator, {"job_name": "j", "output": "s3://b/", "predictions": {"p": "int64"}}, {"share": "1/2"}),
]


@pytest.mark.parametrize(("kind", "alike", "own"), TASKS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize(("options", "policy"), [({}, DATA_RETRY_POLICY), ({"retry_policy": OWN}, OWN)])
def test_what_is_hopeless_is_not_tried_again(
    kind: Any, alike: dict[str, Any], own: dict[str, Any], options: dict[str, Any], policy: object
) -> None:
    with DAG("d", schedule=None, default_args=options):
        single = kind(task_id="single", **alike, **own)
        mapped = kind.partial(task_id="mapped", **alike).expand(**{name: [value] for name, value in own.items()})

    assert single.retry_policy is policy
    assert mapped.unmap(own).retry_policy is policy


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (InvalidInput("associate", ()), RetryAction.FAIL),
        (InvalidData("prepare", ()), RetryAction.DEFAULT),
        (StaleOutput("s3://b/out/", "has changed"), RetryAction.DEFAULT),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("stored", [False, True], ids=["made", "stored"])
def test_data_may_have_come_by_the_next_try_but_not_other_options(
    error: Exception, action: RetryAction, stored: bool
) -> None:
    policy = ExceptionRetryPolicy.deserialize(DATA_RETRY_POLICY.serialize()) if stored else DATA_RETRY_POLICY

    assert policy.evaluate(error, try_number=1, max_tries=3).action is action
