"""The operators, against a SageMaker that is handed in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import TaskDeferred

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import InvalidJob, JobAlgorithmError, JobNotFound, JobRefused, JobStopped, JobTimedOut
from airflow_batchtx.operators.batch_transform import BatchTransformOperator, BatchTransformStopOperator
from airflow_batchtx.spec.prepared import PreparedInput
from tests.fake_airflow import FakeTaskInstance, run
from tests.fake_sagemaker import REQUEST, FakeHook, FakeSageMaker, refusal

PREPARED = PreparedInput(
    input="s3://b/staged/", manifest="s3://b/staged/_manifest.json", content_type="text/csv", split_type="Line",
    assemble_with="Line", shards=3, rows=1000,
).to_dict()  # fmt: skip


def job(**members: Any) -> TransformJob:
    needed = {"model_name": "churn", "input": "s3://b/in/", "output": "s3://b/out/", "instance_type": "ml.m5.large"}
    return TransformJob(**{**needed, **members})


def operator(job: Any = REQUEST, **options: Any) -> BatchTransformOperator:
    return BatchTransformOperator(task_id="score", job=job, **{"poll_interval": 0.01, "deferrable": False, **options})


def names_of(fake: FakeSageMaker) -> list[str]:
    return list(dict.fromkeys(fake.names("CreateTransformJob")))


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
        fake = FakeSageMaker()
        task = operator({**REQUEST, "MaxPayloadInMB": "{{ params.mb }}"})
        task.job = {**REQUEST, "MaxPayloadInMB": "101"}

        with pytest.raises(InvalidJob):
            run(task, FakeHook(fake))

        assert fake.calls == []

    def test_has_numbers_where_templates_rendered_texts(self) -> None:
        fake = FakeSageMaker()
        task = operator({**REQUEST, "MaxPayloadInMB": "{{ params.mb }}", "MaxConcurrentTransforms": "{{ params.n }}"})
        task.job = {**REQUEST, "MaxPayloadInMB": "6", "MaxConcurrentTransforms": ""}

        run(task, FakeHook(fake))

        (sent,) = fake.jobs.values()
        assert sent["MaxPayloadInMB"] == 6
        assert "MaxConcurrentTransforms" not in sent

    @pytest.mark.parametrize("made", [json.dumps(dict(REQUEST)), dict(REQUEST), job(instance_count=2)])
    def test_may_come_whole_from_a_template_or_another_task(self, made: Any) -> None:
        fake = FakeSageMaker()
        task = operator("{{ ti.xcom_pull('plan') }}")
        task.job = made

        run(task, FakeHook(fake))

        assert [sent["ModelName"] for sent in fake.jobs.values()] == ["churn"]

    @pytest.mark.parametrize("made", ["None", "", "{'ModelName': 'x'}", None, 7, []])
    def test_that_is_none_is_named(self, made: Any) -> None:
        task = operator("{{ ti.xcom_pull('plan') }}")
        task.job = made

        with pytest.raises(InvalidJob, match=f"job = '{type(made).__name__}': is no transform job"):
            run(task, FakeHook(FakeSageMaker()))

    @pytest.mark.parametrize("made", ["nope", None, 7, []])
    def test_that_is_none_and_holds_no_template_is_named_when_the_task_is_made(self, made: Any) -> None:
        with pytest.raises(InvalidJob, match="is no transform job"):
            operator(made)

    def test_takes_from_a_prepared_input_what_it_does_not_say(self) -> None:
        fake = FakeSageMaker()

        made = run(operator(job(input=PREPARED)), FakeHook(fake))

        (sent,) = fake.jobs.values()
        assert sent["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b/staged/"
        assert (sent["TransformInput"]["ContentType"], sent["TransformInput"]["SplitType"]) == ("text/csv", "Line")
        assert (made["prepared"], made["rows"]) == ("s3://b/staged/_manifest.json", 1000)


class TestTheName:
    def test_is_that_of_dag_and_task_or_the_one_that_is_asked_for(self) -> None:
        fake = FakeSageMaker()

        for task in (operator(), operator(job(name="nightly"))):
            run(task, FakeHook(fake))

        assert [name[:-13] for name in names_of(fake)] == ["churn-score", "nightly"]

    def test_does_not_depend_on_the_try_and_differs_by_map_index_and_run(self) -> None:
        instances = [{}, {"try_number": 2}, {"map_index": 0}, {"map_index": 1}, {"run_id": "manual"}]
        made = []
        for members in instances:
            fake = FakeSageMaker()
            run(operator(), FakeHook(fake), FakeTaskInstance(**members))  # type: ignore[arg-type]
            made += names_of(fake)

        assert made[0] == made[1]
        assert len(set(made)) == 4

    def test_differs_between_deployments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = []
        for url in ("https://dev.example", "https://prod.example"):
            monkeypatch.setenv("AIRFLOW__API__BASE_URL", url)
            fake = FakeSageMaker()
            run(operator(), FakeHook(fake))
            made += names_of(fake)

        assert len(set(made)) == 2


def first_name() -> str:
    fake = FakeSageMaker()
    run(operator(), FakeHook(fake))
    return names_of(fake)[0]


class TestOneJobForOnePieceOfWork:
    def test_a_running_job_of_an_earlier_try_is_adopted(self) -> None:
        fake, ti = FakeSageMaker(), FakeTaskInstance()
        other = {**REQUEST, "TransformOutput": {"S3OutputPath": "s3://b/elsewhere/"}}
        fake.add(first_name(), ["InProgress", "Completed"], other)

        made = run(operator(), FakeHook(fake), ti)

        assert fake.names("CreateTransformJob") == []
        assert made["job_name"] == first_name()
        assert ti.xcoms["output"] == "s3://b/elsewhere/"

    @pytest.mark.parametrize("end", ["Completed", "Failed", "Stopped", "Stopping"])
    def test_after_a_job_that_has_ended_comes_the_next_name(self, end: str) -> None:
        fake = FakeSageMaker()
        fake.add(first_name(), [end])
        fake.add(f"{first_name()}-2", [end])

        made = run(operator(), FakeHook(fake))

        assert fake.names("CreateTransformJob") == [f"{first_name()}-3"]
        assert made["job_name"] == f"{first_name()}-3"

    @pytest.mark.parametrize(("life", "name"), [(["InProgress", "Completed"], ""), (["Failed"], "-2")])
    def test_a_name_that_is_taken_in_between_is_as_one_that_was_found(self, life: Sequence[str], name: str) -> None:
        class Raced(FakeSageMaker):
            def create_transform_job(self, **request: Any) -> dict[str, Any]:
                if not self.jobs:
                    self.add(request["TransformJobName"], life)
                return super().create_transform_job(**request)

        fake = Raced()

        made = run(operator(), FakeHook(fake))

        assert made["job_name"] == f"{first_name()}{name}"
        assert len(fake.jobs) == len(name) // 2 + 1

    def test_a_refused_job_is_tried_once(self) -> None:
        fake = FakeSageMaker()
        fake.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ValidationException", "no model")]

        with pytest.raises(JobRefused, match="no model"):
            run(operator(), FakeHook(fake))

        assert len(fake.names("CreateTransformJob")) == 1


class TestWhatItTells:
    def test_name_arn_and_output_are_known_before_the_job_has_ended(self) -> None:
        fake, ti = FakeSageMaker(["InProgress"]), FakeTaskInstance()

        with pytest.raises(JobTimedOut):
            run(operator(timeout=0), FakeHook(fake), ti)

        (sent,) = fake.jobs.values()
        assert ti.xcoms == {
            "job_name": sent["TransformJobName"],
            "job_arn": sent["TransformJobArn"],
            "output": "s3://b/out/",
        }

    def test_the_result_is_small_plain_json(self) -> None:
        environment = {f"V{n}": "x" * 10240 for n in range(16)}

        made = run(operator(job(environment=environment)), FakeHook(FakeSageMaker()))

        assert len(json.dumps(made)) < 4096
        assert (made["status"], made["instance_seconds"]) == ("Completed", 120)

    def test_no_value_of_the_environment_is_written_to_the_log(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(operator(job(environment={"LICENCE": "hunter2-hunter2"})), FakeHook(FakeSageMaker()))

        output = capsys.readouterr()
        assert "Created transform job" in output.out + output.err
        assert "hunter2" not in output.out + output.err

    def test_without_waiting_it_tells_of_the_job_as_it_is(self) -> None:
        fake = FakeSageMaker(["InProgress"])

        made = run(operator(job(input=PREPARED), wait_for_completion=False, deferrable=True), FakeHook(fake))

        assert (made["status"], made["ended"], made["rows"]) == ("InProgress", None, 1000)
        assert len(fake.names("DescribeTransformJob")) == 2


class TestDeferred:
    def test_the_trigger_knows_names_and_numbers_only(self) -> None:
        fake = FakeSageMaker()
        task = operator(
            job(environment={"LICENCE": "hunter2"}), deferrable=True, timeout=3600, aws_conn_id="prod",
            region_name="eu-west-1", verify=False, botocore_config={"retries": {"mode": "adaptive"}},
        )  # fmt: skip
        task.hook = FakeHook(fake)

        with pytest.raises(TaskDeferred) as deferral:
            task.execute({"ti": FakeTaskInstance()})  # type: ignore[arg-type]

        arguments = deferral.value.trigger.serialize()[1]
        assert arguments.pop("deadline") > 0
        assert arguments == {
            "job_name": first_name(), "aws_conn_id": "prod", "region_name": "eu-west-1", "verify": False,
            "botocore_config": {"retries": {"mode": "adaptive"}}, "poll_interval": 0.01, "record": None, "logs": False,
            "stop_on_kill": True,
        }  # fmt: skip

    def test_the_name_is_not_made_again_on_resume(self) -> None:
        fake = FakeSageMaker()
        fake.add("of-the-event", ["Completed"])
        task = operator(deferrable=True)
        task.hook = FakeHook(fake)
        task.job = {"TransformJobName": "rendered-anew"}

        event = {"job_name": "of-the-event", "status": "Completed"}

        assert task.execute_complete({}, event)["job_name"] == "of-the-event"  # type: ignore[arg-type]
        assert fake.calls == [("DescribeTransformJob", "of-the-event")]

    def test_the_end_is_looked_up_and_survives_throttling(self) -> None:
        fake = FakeSageMaker()
        fake.add("nightly", ["Completed"])
        fake.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")]
        task = operator(deferrable=True)
        task.hook = FakeHook(fake)

        assert task.execute_complete({}, {"job_name": "nightly", "status": "Completed"})["status"] == "Completed"  # type: ignore[arg-type]

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
    def stop(self, fake: FakeSageMaker, job_name: Any = "nightly", **options: Any) -> Any:
        task = BatchTransformStopOperator(task_id="stop", job_name=job_name, **{"poll_interval": 0.01, **options})
        return run(task, FakeHook(fake))

    def test_waits_until_the_job_has_stopped(self) -> None:
        fake = FakeSageMaker()
        fake.add("nightly", ["InProgress"])

        assert self.stop(fake)["status"] == "Stopped"

    def test_does_not_wait_where_it_is_not_to(self) -> None:
        fake = FakeSageMaker()
        fake.add("nightly", ["InProgress"])

        assert self.stop(fake, wait_for_completion=False)["status"] == "Stopping"

    @pytest.mark.parametrize("end", ["Completed", "Failed", "Stopped"])
    def test_a_job_that_has_ended_is_no_error(self, end: str) -> None:
        fake = FakeSageMaker()
        fake.add("nightly", [end])

        assert self.stop(fake, {"job_name": "nightly"})["status"] == end

    def test_a_job_that_does_not_exist_is(self) -> None:
        with pytest.raises(JobNotFound):
            self.stop(FakeSageMaker())


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(("end", "kind"), [("Stopped", JobStopped), ("Failed", JobAlgorithmError)])
def test_a_job_that_did_not_complete_fails_the_task(end: str, kind: type[Exception], deferrable: bool) -> None:
    fake = FakeSageMaker(["InProgress", end], reason="AlgorithmError: See job logs for more information")

    with pytest.raises(kind):
        run(operator(deferrable=deferrable), FakeHook(fake))
