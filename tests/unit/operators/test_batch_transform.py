"""The operators, against a SageMaker that is handed in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import TaskDeferred

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import InvalidJob, JobAlgorithmError, JobNotFound, JobRefused, JobStopped, JobTimedOut
from airflow_batchtx.operators.batch_transform import BatchTransformOperator, BatchTransformStopOperator
from airflow_batchtx.spec.manifest import PreparedManifest, Shard
from airflow_batchtx.spec.prepared import PreparedInput
from tests.fake_airflow import FakeTaskInstance, run
from tests.fake_batch import World
from tests.fake_sagemaker import REQUEST, refusal

PREPARED = PreparedInput(
    input="s3://b/in/", manifest="s3://b/staged/manifest.json", content_type="text/csv", split_type="Line",
    assemble_with="Line", shards=3, rows=1000,
).to_dict()  # fmt: skip


MANIFEST = PreparedManifest(
    input="s3://b/in/", content_type="text/csv", split_type="Line", columns=("x",), kept={}, source=(),
    shards=tuple(Shard(uri=f"s3://b/in/{name}.csv", rows=1, bytes=4, sha256="0" * 64, kept=None) for name in "abc"),
).to_json()  # fmt: skip


def job(**members: Any) -> TransformJob:
    needed = {"model_name": "churn", "input": "s3://b/in/", "output": "s3://b/out/", "instance_type": "ml.m5.large"}
    return TransformJob(**{**needed, **members})


def operator(job: Any = REQUEST, **options: Any) -> BatchTransformOperator:
    return BatchTransformOperator(task_id="score", job=job, **{"poll_interval": 0.01, "deferrable": False, **options})


class TestTheJob:
    def test_is_kept_as_a_plain_request_under_the_name_of_its_argument(self) -> None:
        task = operator(job(environment={"A": "b"}))

        assert type(task.job) is dict
        assert task.job == job(environment={"A": "b"}).to_request()
        assert "job" in task.template_fields

    def test_that_is_a_request_is_kept_as_it_stands(self) -> None:
        assert operator(REQUEST).job is REQUEST

    def test_is_checked_when_the_task_is_made(self) -> None:
        with pytest.raises(InvalidJob) as caught:
            operator({**REQUEST, "BatchStrategy": "Both", "MaxPayloadInMB": 101})

        assert [problem.field for problem in caught.value.problems] == [
            "max_payload_in_mb (MaxPayloadInMB)",
            "batch_strategy (BatchStrategy)",
        ]

    def test_is_checked_again_when_it_is_rendered_and_nothing_is_paid_for(self) -> None:
        world = World()
        task = operator({**REQUEST, "MaxPayloadInMB": "{{ params.mb }}"})
        task.job = {**REQUEST, "MaxPayloadInMB": "101"}

        with pytest.raises(InvalidJob):
            run(task, world)

        assert world.batch.calls == []

    def test_has_numbers_where_templates_rendered_texts(self) -> None:
        world = World()
        task = operator({**REQUEST, "MaxPayloadInMB": "{{ params.mb }}", "MaxConcurrentTransforms": "{{ params.n }}"})
        task.job = {**REQUEST, "MaxPayloadInMB": "6", "MaxConcurrentTransforms": ""}

        run(task, world)

        (sent,) = world.batch.jobs.values()
        assert sent["MaxPayloadInMB"] == 6
        assert "MaxConcurrentTransforms" not in sent

    @pytest.mark.parametrize("made", [json.dumps(dict(REQUEST)), dict(REQUEST), job(instance_count=2)])
    def test_may_come_whole_from_a_template_or_another_task(self, made: Any) -> None:
        world = World()
        task = operator("{{ ti.xcom_pull('plan') }}")
        task.job = made

        run(task, world)

        assert [sent["ModelName"] for sent in world.batch.jobs.values()] == ["churn"]

    def test_that_another_task_returned_with_a_template_in_it_is_named(self) -> None:
        world = World()
        task = operator("{{ ti.xcom_pull('plan') }}")
        task.job = job(output="s3://b/{{ ds }}/out/", environment={"PROMPT": "Dear {{ name }}"}).to_request()

        with pytest.raises(InvalidJob, match=r"output .*is a template, which only Airflow renders") as caught:
            run(task, world)

        assert len(caught.value.problems) == 1
        assert world.created == []

    @pytest.mark.parametrize("made", ["None", "", "{'ModelName': 'x'}", None, 7, []])
    def test_that_is_none_is_named(self, made: Any) -> None:
        task = operator("{{ ti.xcom_pull('plan') }}")
        task.job = made

        with pytest.raises(InvalidJob, match=f"job = '{type(made).__name__}': is no transform job"):
            run(task, World())

    @pytest.mark.parametrize("made", ["nope", None, 7, []])
    def test_that_is_none_and_holds_no_template_is_named_when_the_task_is_made(self, made: Any) -> None:
        with pytest.raises(InvalidJob, match="is no transform job"):
            operator(made)

    @pytest.mark.parametrize("source", [["s3://b/in/"], "['s3://b/in/']"])
    def test_may_have_a_list_of_one_prefix_as_its_input(self, source: Any) -> None:
        world = World()
        task = operator(job(input="{{ params.input }}"))
        task.job = job(input=source).to_request()

        assert run(task, world)["objects_done"] == 3
        assert next(iter(world.batch.jobs.values()))["TransformInput"]["DataSource"]["S3DataSource"] == {
            "S3DataType": "S3Prefix",
            "S3Uri": "s3://b/in/",
        }

    def test_takes_from_a_prepared_input_what_it_does_not_say(self) -> None:
        world = World()

        world.put(PREPARED["manifest"], MANIFEST)

        made = run(operator(job(input=PREPARED)), world)

        (sent,) = world.batch.jobs.values()
        assert sent["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b/in/"
        assert (sent["TransformInput"]["ContentType"], sent["TransformInput"]["SplitType"]) == ("text/csv", "Line")
        assert (made["prepared"], made["rows"]) == ("s3://b/staged/manifest.json", 1000)


class TestTheName:
    def test_is_that_of_dag_and_task_or_the_one_that_is_asked_for(self) -> None:
        world = World()

        for task in (operator(), operator(job(name="nightly"))):
            run(task, world)

        assert [name[:-13] for name in world.created] == ["churn-score", "nightly"]

    def test_does_not_depend_on_the_try_and_differs_by_map_index_and_run(self) -> None:
        instances = [{}, {"try_number": 2}, {"map_index": 0}, {"map_index": 1}, {"run_id": "manual"}]
        made = []
        for members in instances:
            world = World()
            run(operator(), world, FakeTaskInstance(**members))  # type: ignore[arg-type]
            made += world.created

        assert made[0] == made[1]
        assert len(set(made)) == 4

    def test_differs_between_deployments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = []
        for url in ("https://dev.example", "https://prod.example"):
            monkeypatch.setenv("AIRFLOW__API__BASE_URL", url)
            world = World()
            run(operator(), world)
            made += world.created

        assert len(set(made)) == 2


def first_name() -> str:
    world = World()
    run(operator(), world)
    return world.created[0]


class TestOneJobForOnePieceOfWork:
    def test_a_running_job_of_an_earlier_try_is_adopted(self) -> None:
        world, ti = World(), FakeTaskInstance()
        other = {**REQUEST, "TransformOutput": {"S3OutputPath": "s3://b/elsewhere/"}}
        world.batch.add(first_name(), ["InProgress", "Completed"], other)

        made = run(operator(), world, ti)

        assert world.batch.names("CreateTransformJob") == []
        assert made["job_name"] == first_name()
        assert ti.xcoms["output"] == "s3://b/elsewhere/"

    def test_a_refused_job_is_tried_once(self) -> None:
        world = World()
        world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ValidationException", "no model")]

        with pytest.raises(JobRefused, match="no model"):
            run(operator(), world)

        assert len(world.batch.names("CreateTransformJob")) == 1


class TestWhatItTells:
    def test_name_arn_and_output_are_known_before_the_job_has_ended(self) -> None:
        world, ti = World(life=["InProgress"]), FakeTaskInstance()

        with pytest.raises(JobTimedOut):
            run(operator(max_runtime=1), world, ti)

        (sent,) = world.batch.jobs.values()
        assert ti.xcoms == {
            "job_name": sent["TransformJobName"],
            "job_arn": sent["TransformJobArn"],
            "output": "s3://b/out/",
            "control": f"s3://b/_batchtx/{sent['TransformJobName']}/",
        }

    def test_the_result_is_small_plain_json(self) -> None:
        environment = {f"V{n}": "x" * 10240 for n in range(16)}

        made = run(operator(job(environment=environment)), World())

        assert len(json.dumps(made)) < 4096
        assert (made["status"], made["instance_seconds"]) == ("Completed", 120)

    def test_no_value_of_the_environment_is_written_to_the_log(
        self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("DEBUG", "airflow_batchtx"):
            run(operator(job(environment={"LICENCE": "hunter2-hunter2"})), World())

        output = capsys.readouterr()
        told = output.out + output.err + caplog.text
        assert "Created transform job" in told
        assert "hunter2" not in told

    def test_without_waiting_it_tells_of_the_job_as_it_is(self) -> None:
        world = World(life=["InProgress"])
        world.put(PREPARED["manifest"], MANIFEST)

        made = run(operator(job(input=PREPARED), wait_for_completion=False, deferrable=True), world)

        assert (made["status"], made["ended"], made["rows"]) == ("InProgress", None, 1000)
        assert len(world.batch.names("DescribeTransformJob")) == 2


def event(job_name: str, status: str = "Completed") -> dict[str, str]:
    return {"job_name": job_name, "status": status, "record": f"s3://b/_batchtx/{job_name}/"}


class TestDeferred:
    def test_the_trigger_knows_names_and_numbers_only(self) -> None:
        world = World()
        task = operator(
            job(environment={"LICENCE": "hunter2"}), deferrable=True, max_runtime=3600, aws_conn_id="prod",
            region_name="eu-west-1", ssl_verify=False, botocore_config={"retries": {"mode": "adaptive"}},
        )  # fmt: skip
        task.services = world.services

        with pytest.raises(TaskDeferred) as deferral:
            task.execute({"ti": FakeTaskInstance()})  # type: ignore[arg-type]

        arguments = deferral.value.trigger.serialize()[1]
        assert arguments.pop("deadline") > 0
        assert arguments == {
            "job_name": first_name(), "aws_conn_id": "prod", "region_name": "eu-west-1", "verify": False,
            "botocore_config": {"retries": {"mode": "adaptive"}}, "poll_interval": 0.01,
            "record": f"s3://b/_batchtx/{first_name()}/", "logs": False, "stop_on_kill": True,
        }  # fmt: skip

    def test_the_name_is_not_made_again_on_resume(self) -> None:
        world = World()
        world.batch.add("of-the-event", ["Completed"])
        task = operator(deferrable=True)
        task.services = world.services
        task.job = {"TransformJobName": "rendered-anew"}

        assert task.execute_complete({}, event("of-the-event"))["job_name"] == "of-the-event"  # type: ignore[arg-type]
        assert world.batch.calls == [("DescribeTransformJob", "of-the-event")]

    def test_the_end_is_looked_up_and_survives_throttling(self) -> None:
        world = World()
        world.batch.add("nightly", ["Completed"])
        world.batch.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")]
        task = operator(deferrable=True)
        task.services = world.services

        assert task.execute_complete({}, event("nightly"))["status"] == "Completed"  # type: ignore[arg-type]

    def test_the_default_is_airflows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert operator(deferrable=None).deferrable is False
        monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
        assert operator(deferrable=None).deferrable is True


class Source(BaseOperator):
    """A task that others depend on."""


class TestUpstream:
    @pytest.fixture(autouse=True)
    def _in_a_dag(self) -> Iterator[None]:
        with DAG("churn", schedule=None):
            yield

    @pytest.mark.parametrize("kind", ["typed", "request", "whole"])
    def test_a_reference_anywhere_in_the_job_makes_the_relation(self, kind: str) -> None:
        source = Source(task_id="prepare").output
        jobs: Mapping[str, Any] = {
            "typed": job(input=source),
            "request": {**REQUEST, "Environment": {"A": source["a"]}},
            "whole": source,
        }

        assert operator(jobs[kind]).upstream_task_ids == {"prepare"}

    @pytest.mark.parametrize("kind", ["typed", "request"])
    def test_so_it_does_where_the_task_is_mapped_over_something_else(self, kind: str) -> None:
        source = Source(task_id="prepare").output
        jobs = {"typed": job(input=source), "request": {**REQUEST, "ModelName": source["model"]}}

        mapped = BatchTransformOperator.partial(task_id="score", job=jobs[kind]).expand(region_name=["a", "b"])

        assert mapped.upstream_task_ids == {"prepare"}

    def test_mapped_over_jobs(self) -> None:
        source = Source(task_id="plan").output

        assert BatchTransformOperator.partial(task_id="score").expand(job=source).upstream_task_ids == {"plan"}


class TestStop:
    def stop(self, world: World, job_name: Any = "nightly", **options: Any) -> Any:
        task = BatchTransformStopOperator(task_id="stop", job_name=job_name, **{"poll_interval": 0.01, **options})
        return run(task, world)

    def test_waits_until_the_job_has_stopped(self) -> None:
        world = World()
        world.batch.add("nightly", ["InProgress"])

        assert self.stop(world)["status"] == "Stopped"

    def test_does_not_wait_where_it_is_not_to(self) -> None:
        world = World()
        world.batch.add("nightly", ["InProgress"])

        assert self.stop(world, wait_for_completion=False)["status"] == "Stopping"

    @pytest.mark.parametrize("end", ["Completed", "Failed", "Stopped"])
    def test_a_job_that_has_ended_is_no_error(self, end: str) -> None:
        world = World()
        world.batch.add("nightly", [end])

        assert self.stop(world, {"job_name": "nightly"})["status"] == end

    def test_a_job_that_does_not_exist_is(self) -> None:
        with pytest.raises(JobNotFound):
            self.stop(World())


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(("end", "kind"), [("Stopped", JobStopped), ("Failed", JobAlgorithmError)])
def test_a_job_that_did_not_complete_fails_the_task(end: str, kind: type[Exception], deferrable: bool) -> None:
    world = World(life=["InProgress", end], reason="AlgorithmError: See job logs for more information")

    with pytest.raises(kind):
        run(operator(deferrable=deferrable), world)
