"""What a task leaves behind at each of its ends: no job that nobody waits for, no model of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException, TaskDeferred

from airflow_batchtx.errors import BatchTransformError, InvalidJob, JobRefused, WaitInterrupted
from airflow_batchtx.hooks.attentive import AttentiveStore
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_airflow import FakeTaskInstance, airflow_says
from tests.fake_batch import World
from tests.fake_logs import INSTANCE, FakeLogs
from tests.fake_sagemaker import REQUEST, refusal

MODEL = {"image": "churn:1", "role": "arn:aws:iam::123456789012:role/churn"}


class ModelWorld(World):
    """A world that keeps models."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.models: dict[str, dict[str, Any]] = {}
        batch: Any = self.batch
        batch.create_model = self._create
        batch.delete_model = lambda ModelName: self.models.pop(ModelName) and {}  # noqa: N803
        batch.describe_model = self._describe

    def _create(self, **request: Any) -> dict[str, str]:
        self.models[request["ModelName"]] = request
        return {"ModelArn": "arn"}

    def _describe(self, ModelName: str) -> dict[str, Any]:  # noqa: N803
        if ModelName not in self.models:
            raise refusal("DescribeModel", "ValidationException", "Could not find model")
        return self.models[ModelName]


def task(world: World, **options: Any) -> BatchTransformOperator:
    made = BatchTransformOperator(task_id="score", job=REQUEST, **{"poll_interval": 1, "deferrable": False, **options})
    made.services = world.services
    return made


def run(made: BatchTransformOperator) -> Any:
    return made.execute({"ti": FakeTaskInstance()})  # type: ignore[arg-type]


def empty(world: World) -> None:
    world.store.delete([S3Uri("b", f"in/{name}.csv") for name in "abc"])


def refused(world: World) -> None:
    world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ValidationException")]


def quota(world: World) -> None:
    world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ResourceLimitExceeded")]


def nothing(_: World) -> None:
    pass


ENDS: dict[str, tuple[Callable[[World], None], tuple[str, ...], dict[str, Any], type[BaseException] | None]] = {
    "Completed": (nothing, ("InProgress", "Completed"), {}, None),
    "Failed": (nothing, ("InProgress", "Failed"), {}, BatchTransformError),
    "Stopped": (nothing, ("InProgress", "Stopped"), {}, BatchTransformError),
    "no input": (empty, ("InProgress",), {}, BatchTransformError),
    "no input, skipped": (empty, ("InProgress",), {"on_empty": "skip"}, AirflowSkipException),
    "refused": (refused, ("InProgress",), {}, BatchTransformError),
    "a quota": (quota, ("InProgress",), {"on_quota": "fail"}, BatchTransformError),
    "its deadline": (nothing, ("InProgress",), {"max_runtime": 5}, BatchTransformError),
}


@pytest.mark.parametrize("end", ENDS)
def test_no_model_of_its_own_is_left(end: str) -> None:
    prepare, life, options, error = ENDS[end]
    world = ModelWorld(life=life)
    prepare(world)
    made = task(world, model=MODEL, delete_model=True, **options)
    if error is None:
        run(made)
    else:
        with pytest.raises(error):
            run(made)
    assert world.models == {}


@pytest.mark.parametrize("delete_model", [True, False])
def test_a_result_tells_whose_its_model_was(delete_model: bool) -> None:
    told = run(task(ModelWorld(life=("Completed",)), model=MODEL, delete_model=delete_model))

    assert told["own_model"] is delete_model


@pytest.mark.parametrize(
    ("prepare", "options", "pause"),
    [(nothing, {"deferrable": True}, TaskDeferred), (quota, {}, AirflowRescheduleException)],
)
def test_a_model_outlives_a_pause(prepare: Callable[[World], None], options: Any, pause: type[BaseException]) -> None:
    world = ModelWorld(life=("InProgress",))
    prepare(world)
    with pytest.raises(pause):
        run(task(world, model=MODEL, delete_model=True, **options))
    assert len(world.models) == 1


def test_no_model_of_its_own_is_left_where_another_was_defined_between_two_tries() -> None:
    world = ModelWorld(life=("InProgress", "InProgress", "Completed"))
    with pytest.raises(TaskDeferred):
        run(task(world, model=MODEL, delete_model=True, deferrable=True))
    run(task(world, model={**MODEL, "image": "churn:2"}, delete_model=True))

    assert (len(world.created), world.models) == (1, {})


@pytest.mark.parametrize("options", [{"deferrable": True}, {"wait_for_completion": False}])
@pytest.mark.parametrize(("state", "stops"), [("failed", 1), ("running", 0)])
def test_a_task_that_is_killed_while_it_submits(options: dict[str, Any], state: str, stops: int) -> None:
    world = World(life=("InProgress",))
    made = task(world, **options)
    create = world.batch.create_transform_job

    def killed(**request: Any) -> dict[str, Any]:
        made.on_kill()
        return create(**request)

    world.batch.create_transform_job = killed  # type: ignore[method-assign]
    with airflow_says(FakeTaskInstance(), state), pytest.raises(WaitInterrupted) as caught:
        run(made)

    assert (len(world.stopped), caught.value.stopped) == (stops, bool(stops))
    assert len(world.created) == 1


@pytest.mark.parametrize("policy", ["adopt", "replace", "fail"])
@pytest.mark.parametrize(("state", "stops"), [("failed", 1), ("running", 0)])
def test_a_task_that_is_killed_while_it_compares_its_job_with_a_large_input(
    policy: str, state: str, stops: int
) -> None:
    world = World(life=("InProgress",))
    with pytest.raises(TaskDeferred):
        run(task(world, deferrable=True))
    again = task(world, on_changed=policy)
    look = partial(again._nap, 0.0)

    class Killing(AttentiveStore):
        def objects(self, prefix: S3Uri) -> Any:
            again.on_kill()
            return super().objects(prefix)

    again.services = replace(world.services, store=Killing(world.store, look), sleep=again._nap)  # type: ignore[arg-type]
    with airflow_says(FakeTaskInstance(), state), pytest.raises(WaitInterrupted) as caught:
        run(again)

    assert (len(world.stopped), caught.value.stopped) == (stops, bool(stops))
    assert len(world.created) == 1


def test_the_containers_last_lines_are_told_after_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    world, logs = World(life=("InProgress", "Completed")), FakeLogs()
    made = task(world, logs=True)
    made.services = replace(world.services, logs=JobLogs(logs))
    describe = world.batch.describe_transform_job

    def ended(**request: Any) -> dict[str, Any]:
        described = describe(**request)
        if described["TransformJobStatus"] == "Completed":
            logs.add(f"{described['TransformJobName']}/{INSTANCE}", "scored the last record")
        return described

    world.batch.describe_transform_job = ended  # type: ignore[method-assign]
    run(made)

    told = capsys.readouterr().out
    assert "scored the last record" in told
    assert "180.0 s of provisioning and 120.0 s of transform" in told


def test_no_job_is_made_whose_limit_could_not_be_kept_on_another_type() -> None:
    world = World()
    with pytest.raises(InvalidJob, match=r"ml\.inf9\.huge"):
        run(task(world, max_cost=5, instance_types=["ml.inf9.huge"]))
    assert world.created == []


def test_no_job_is_made_that_could_not_be_stopped_at_its_limit() -> None:
    world = World()
    world.batch.trouble["StopTransformJob"] = [refusal("StopTransformJob", "AccessDeniedException")]
    with pytest.raises(JobRefused):
        run(task(world, max_runtime=60))
    assert world.created == []


def test_a_failure_tells_lineage_how_far_the_job_came() -> None:
    world = World(life=("InProgress", "Failed"), reason="ClientError: See job logs for more information")
    world.batch.poisoned = {"s3://b/in/b.csv"}
    made = task(world)
    with pytest.raises(BatchTransformError):
        run(made)
    assert made.trace.objects_done == 2
    assert made.trace.result is not None
    assert made.trace.result.status == "Failed"


def test_what_unset_parameters_render_to_is_as_if_it_were_not_there() -> None:
    world, unset = World(), World()
    run(task(world))
    run(task(unset, namespace="None", control_prefix="", prices="None", include="None", max_runtime=""))
    assert unset.created == world.created
