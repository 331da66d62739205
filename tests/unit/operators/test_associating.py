"""The ways to say which answers are meant: a result, the name of a job, two prefixes."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.submission import start
from airflow_batchtx.errors import InvalidInput, JobNotFound, OutputMissing, StaleOutput
from airflow_batchtx.operators.data import AssociateOutputOperator
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prices import PriceTable
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World, assignment
from tests.fake_sagemaker import REQUEST

INPUTS = {"s3://b/in/a.csv": b"1\n2\n", "s3://b/in/c.csv": b"3\n"}


class Lines(World):
    """A world whose model answers each object with as many lines."""

    def __init__(self, **life: Any) -> None:
        super().__init__(objects=INPUTS, **life)
        self.store.now = datetime.fromtimestamp(self.now + 1, timezone.utc)

    def settle(self, name: str) -> dict[str, Any]:
        while (described := self.services.jobs.describe(name))["TransformJobStatus"] == "InProgress":
            self.sleep(1)
        for uri, body in list(self.store.bodies.items()):
            if uri.key.startswith("out/") and body.endswith(b"!"):
                self.store.put(uri, body.removesuffix(b"!"))
        return dict(described)


def associated(world: World, **options: Any) -> list[Any]:
    task: Any = AssociateOutputOperator(task_id="a", output="s3://b/scored/", **options)
    task.store, task.services = world.store, world.services
    output = task.execute({})
    parts = [found.uri for found in world.store.objects(S3Uri("b", "scored/part-"))]
    tables = [pq.read_table(io.BytesIO(world.store.get(uri))) for uri in parts]
    assert output["rows"] == sum(map(len, tables))
    return [value for table in tables for value in table["prediction"].to_pylist()]


def test_a_job_is_found_with_its_record_by_its_name() -> None:
    world = Lines()
    started = start(world.services, assignment())
    described = world.settle(started.job_name)
    ending = Ending(services=world.services, policy=Policy(), prices=PriceTable(prices={}))
    ending.concluded(described, started.on_record)
    # What came since is no part of the job: the record tells.
    world.put("s3://b/in/b.csv", b"9\n")

    assert associated(world, job_name=started.job_name) == [1, 2, 3]


def test_a_job_that_others_made_is_told_by_names_and_times() -> None:
    world = Lines()
    world.batch.create_transform_job(TransformJobName="theirs", **REQUEST)
    world.settle("theirs")

    assert associated(world, job_name="theirs") == [1, 2, 3]


def test_a_job_that_failed_is_no_table() -> None:
    world = Lines(life=("InProgress", "Failed"))
    world.batch.create_transform_job(TransformJobName="theirs", **REQUEST)
    world.settle("theirs")

    with pytest.raises(InvalidInput, match="the job is Failed"):
        associated(world, job_name="theirs")


def test_a_name_that_no_job_has_is_told() -> None:
    with pytest.raises(JobNotFound):
        associated(Lines(), job_name="none")


def test_two_prefixes_are_enough() -> None:
    world = Lines()
    for name, body in INPUTS.items():
        world.put(name.replace("/in/", "/answers/") + ".out", body)

    assert associated(world, input="s3://b/in/", answers="s3://b/answers/") == [1, 2, 3]


def test_an_output_that_is_older_than_its_input_is_of_another_job() -> None:
    world = Lines()
    for name, body in INPUTS.items():
        world.put(name.replace("/in/", "/answers/") + ".out", body)
    world.put("s3://b/in/c.csv", b"4\n")

    with pytest.raises(StaleOutput) as caught:
        associated(world, input="s3://b/in/", answers="s3://b/answers/")
    assert caught.value.uri == "s3://b/answers/c.csv.out"


def test_an_input_without_an_output_is_named() -> None:
    world = Lines()
    world.put("s3://b/answers/a.csv.out", b"1\n2\n")

    with pytest.raises(OutputMissing) as caught:
        associated(world, input="s3://b/in/", answers="s3://b/answers/")
    assert caught.value.uri == "s3://b/in/c.csv"


def test_more_than_one_way_is_refused_when_the_dag_is_parsed() -> None:
    options: Any = {"task_id": "a", "output": "s3://b/scored/"}
    with pytest.raises(InvalidInput):
        AssociateOutputOperator(**options)
    with pytest.raises(InvalidInput):
        AssociateOutputOperator(job_name="j", input="s3://b/in/", answers="s3://b/out/", **options)


def test_a_rendered_name_that_is_empty_is_refused() -> None:
    task: Any = AssociateOutputOperator(task_id="a", output="s3://b/scored/", job_name="{{ params.job }}")
    task.job_name = "None"

    with pytest.raises(InvalidInput, match="job_name"):
        task.execute({})
