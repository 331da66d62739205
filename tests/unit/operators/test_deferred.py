"""The operator's way through a triggerer: what it defers with, and how it goes on after each event."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferralTimeout, TaskDeferred

from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import (
    JobAlgorithmError,
    JobCapacityError,
    JobTimedOut,
    OutputIncomplete,
    QuotaExceeded,
    Throttled,
)
from airflow_batchtx.hooks.controlled import GRACE
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.sagemaker.models import Models
from airflow_batchtx.spec.model import ModelDefinition
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.triggers.batch_transform import TIMED_OUT, UNKNOWN
from tests.fake_airflow import FakeTaskInstance, run
from tests.fake_batch import World
from tests.fake_models import FakeModels
from tests.fake_sagemaker import CREATED, REQUEST, refusal

# Whole seconds, of which nothing is lost where times are written down.
NOW = CREATED.timestamp()
FOREVER = ("InProgress",)
DEFINITION = ModelDefinition(
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/churn:1", role="arn:aws:iam::123456789012:role/churn"
)


@dataclass
class Task:
    """A task at work, one step of Airflow after the other."""

    world: World
    options: dict[str, Any] = field(default_factory=dict)
    ti: FakeTaskInstance = field(default_factory=FakeTaskInstance)

    def operator(self) -> BatchTransformOperator:
        """Make it anew, as each process does."""
        made = BatchTransformOperator(
            task_id="score", job=REQUEST, **{"deferrable": True, "poll_interval": 0.01, **self.options}
        )
        made.services = self.world.services
        return made

    def deferred(self) -> TaskDeferred:
        """Execute it, up to its deferral."""
        with pytest.raises(TaskDeferred) as deferral:
            self.operator().execute({"ti": self.ti})  # type: ignore[arg-type]
        return deferral.value

    def after(self, deferral: TaskDeferred, status: str, **event: Any) -> Any:
        """Go on after an event of its trigger."""
        arguments = deferral.trigger.serialize()[1]
        told = {"job_name": arguments["job_name"], "record": arguments["record"], "status": status, **event}
        return self.operator().resume_execution(
            deferral.method_name,
            {"event": told, **(deferral.kwargs or {})},
            {"ti": self.ti},  # type: ignore[typeddict-item]
        )

    def ended_by_airflow(self, error: str = "Trigger timeout") -> Any:
        return self.operator().resume_execution("__fail__", {"error": error}, {"ti": self.ti})  # type: ignore[typeddict-item]


def arguments(deferral: TaskDeferred) -> dict[str, Any]:
    found: dict[str, Any] = deferral.trigger.serialize()[1]
    return found


def stops(world: World) -> list[str]:
    return world.stopped


def ends(world: World, status: str, after: float = 60.0) -> None:
    """Let the last job end, so many seconds from now."""
    world.now += after
    world.batch.lives[world.created[-1]] = [status]


class TestTheDeadline:
    @pytest.mark.parametrize(
        ("options", "seconds"),
        [
            ({}, None),
            ({"max_runtime": 3600}, 3600),
            ({"max_runtime": 3600, "execution_timeout": timedelta(seconds=100)}, 90),
            ({"max_runtime": 50, "execution_timeout": timedelta(seconds=100)}, 50),
            ({"execution_timeout": timedelta(seconds=100)}, 90),
            ({"max_cost": 0.23}, 3600),  # two instances at 0.115 an hour
            ({"max_cost": 0.23, "max_runtime": 1800}, 1800),
        ],
    )
    def test_is_the_first_of_all_that_bound_the_job_or_the_try(
        self, options: dict[str, Any], seconds: float | None
    ) -> None:
        world = World(now=NOW, life=FOREVER)
        ten_seconds_ago = datetime.fromtimestamp(world.now - 10, timezone.utc)

        deferral = Task(world, options, FakeTaskInstance(started=ten_seconds_ago)).deferred()

        deadline = arguments(deferral)["deadline"]
        assert deadline == (None if seconds is None else pytest.approx(world.now + seconds))
        # The trigger tells of it by itself: Airflow is to end the deferral only where no trigger is alive.
        whole = None if seconds is None else pytest.approx(seconds + GRACE)
        assert (deferral.timeout and deferral.timeout.total_seconds()) == whole

    def test_is_looked_at_anew_once_it_has_come(self) -> None:
        world = World(now=NOW, life=FOREVER)
        task = Task(world, {"max_cost": 0.23})
        first = task.deferred()
        world.now += 3600  # in which AWS looked for instances, at no cost

        with pytest.raises(TaskDeferred) as again:
            task.after(first, TIMED_OUT)

        assert arguments(again.value)["deadline"] == pytest.approx(world.now + 3600)
        assert stops(world) == []

    def test_that_has_passed_stops_the_job(self) -> None:
        world = World(now=NOW, life=FOREVER)
        task = Task(world, {"max_runtime": 3600})
        first = task.deferred()
        world.now += 3600

        with pytest.raises(JobTimedOut) as caught:
            task.after(first, TIMED_OUT)

        assert caught.value.stopped
        assert stops(world) == world.created

    def test_of_the_try_stops_the_job_though_the_job_itself_has_time(self) -> None:
        world = World(now=NOW, life=FOREVER)
        begun = datetime.fromtimestamp(world.now, timezone.utc)
        options = {"max_runtime": 3600, "execution_timeout": timedelta(seconds=100)}
        task = Task(world, options, FakeTaskInstance(started=begun))
        first = task.deferred()
        world.now += 100

        with pytest.raises(JobTimedOut) as caught:
            task.after(first, TIMED_OUT)

        assert caught.value.stopped
        assert stops(world) == world.created

    def test_does_not_matter_to_a_job_that_completed_at_the_last_moment(self) -> None:
        world = World(now=NOW, life=FOREVER)
        task = Task(world, {"max_runtime": 60})
        first = task.deferred()
        ends(world, "Completed")

        assert task.after(first, TIMED_OUT)["objects_done"] == 3
        assert stops(world) == []


class TestADeferralThatAirflowEnds:
    def test_stops_the_job_once(self) -> None:
        world = World(now=NOW, life=FOREVER)
        task = Task(world, {"max_runtime": 60})
        task.deferred()
        world.now += 60 + GRACE

        with pytest.raises(JobTimedOut) as caught:
            task.ended_by_airflow()

        assert isinstance(caught.value.__cause__, TaskDeferralTimeout)
        assert (caught.value.job_name, caught.value.stopped) == (world.created[0], True)
        assert caught.value.seconds == pytest.approx(60 + GRACE)
        assert stops(world) == world.created

    def test_stops_none_that_is_stopping(self) -> None:
        world = World(now=NOW, life=FOREVER)
        task = Task(world, {"max_runtime": 60})
        task.deferred()
        ends(world, "Stopping")

        with pytest.raises(JobTimedOut) as caught:
            task.ended_by_airflow()

        assert not caught.value.stopped


class TestATriggerThatCannotWait:
    def test_leaves_the_wait_to_the_worker(self) -> None:
        world = World(life=("InProgress", "InProgress", "Completed"))
        task = Task(world)
        first = task.deferred()

        made = task.after(first, UNKNOWN, reason="AccessDenied")

        assert (made["status"], made["objects_done"]) == ("Completed", 3)
        assert len([pause for pause in world.slept if pause]) == 1

    def test_does_not_take_the_limits_away(self) -> None:
        world = World(now=NOW, life=FOREVER)
        task = Task(world, {"max_runtime": 60})
        first = task.deferred()

        with pytest.raises(JobTimedOut):
            task.after(first, UNKNOWN, reason="AccessDenied")

        assert stops(world) == world.created

    def test_is_one_that_broke_too(self) -> None:
        world = World(life=("InProgress", "InProgress", "Completed"))
        task = Task(world)
        task.deferred()

        made = task.ended_by_airflow("Trigger failure")

        assert (made["status"], made["objects_done"], stops(world)) == ("Completed", 3, [])


class TestTheEnd:
    def test_is_proved_by_what_was_on_record_before_the_deferral(self) -> None:
        world = World(now=NOW, life=FOREVER)
        world.batch.poisoned = {"s3://b/in/b.csv"}
        task = Task(world)
        first = task.deferred()
        world.put("s3://b/in/late.csv")
        ends(world, "Completed")

        with pytest.raises(OutputIncomplete) as caught:
            task.after(first, "Completed")

        assert (caught.value.missing, caught.value.total) == (("s3://b/in/b.csv",), 3)

    def test_is_what_sagemaker_says_and_not_the_event(self) -> None:
        world = World(now=NOW, life=FOREVER, reason="AlgorithmError: See job logs")
        task = Task(world)
        first = task.deferred()
        ends(world, "Failed")

        with pytest.raises(JobAlgorithmError):
            task.after(first, "Completed")

    def test_is_not_near_where_the_event_came_too_early(self) -> None:
        """An event of a look that was ahead of what Describe tells now."""
        world = World(now=NOW, life=FOREVER)
        task = Task(world)

        with pytest.raises(TaskDeferred):
            task.after(task.deferred(), "Completed")


def test_there_is_another_instance_type_after_a_deferral_too() -> None:
    world = World(now=NOW, life=FOREVER, reason="CapacityError: none left")
    world.batch.poisoned = set(world.objects)
    task = Task(world, {"instance_types": ["ml.m5.xlarge"]})
    first = task.deferred()
    ends(world, "Failed")

    with pytest.raises(TaskDeferred) as again:
        task.after(first, "Failed")

    one, two = world.created
    assert arguments(again.value)["job_name"] == task.ti.xcoms["job_name"] == two == f"{one}-2"
    assert arguments(again.value)["record"] == f"s3://b/_batchtx/{two}/"
    assert world.batch.jobs[two]["TransformResources"]["InstanceType"] == "ml.m5.xlarge"

    world.batch.poisoned = set()
    ends(world, "Completed")
    made = task.after(again.value, "Completed")
    assert (made["instance_type"], made["attempts"], made["objects_done"]) == ("ml.m5.xlarge", 2, 3)

    ends(world, "Failed")
    with pytest.raises(JobCapacityError):
        task.after(again.value, "Failed")


class TestAQuota:
    def refused(self, code: str, waited: float, **options: Any) -> BaseException:
        """Give what a task raises whose job was first refused so many seconds ago, and is again."""
        world = World()
        world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", code) for _ in range(2)]
        task = Task(world, {"on_quota": "wait", **options})
        for _ in range(2 if waited else 1):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is, is what is asked
                task.operator().execute({"ti": task.ti})  # type: ignore[arg-type]
            first, world.now = world.now, world.now + waited
        world.now = first
        if isinstance(caught.value, AirflowRescheduleException):
            assert 30 <= (caught.value.reschedule_date.timestamp() - world.now) <= 90
        return caught.value

    @pytest.mark.parametrize(
        ("code", "kind"), [("ResourceLimitExceeded", QuotaExceeded), ("ThrottlingException", Throttled)]
    )
    def test_is_waited_for_without_a_slot_as_long_as_is_said(self, code: str, kind: type[Exception]) -> None:
        assert isinstance(self.refused(code, 99, quota_timeout=100), AirflowRescheduleException)
        assert type(self.refused(code, 101, quota_timeout=100)) is kind
        assert type(self.refused(code, 0, on_quota="fail")) is kind

    def test_is_waited_for_a_day_unless_something_is_said(self) -> None:
        assert isinstance(self.refused("ResourceLimitExceeded", 86_000), AirflowRescheduleException)
        assert isinstance(self.refused("ResourceLimitExceeded", 87_000), QuotaExceeded)


@dataclass
class ModelWorld(World):
    """A world whose models are made and deleted."""

    models: FakeModels = field(default_factory=FakeModels)

    @property
    def services(self) -> Services:
        return replace(super().services, models=Models(self.models))  # type: ignore[arg-type]


class TestAModelOfItsOwn:
    def task(self, world: World, ti: FakeTaskInstance | None = None, **options: Any) -> Task:
        given = {"model": DEFINITION, "delete_model": True, **options}
        return Task(world, given, ti or FakeTaskInstance())

    def model(self, world: ModelWorld) -> str:
        name: str = world.batch.jobs[world.created[-1]]["ModelName"]
        return name

    @pytest.mark.parametrize("end", ["Completed", "Failed", "Stopped"])
    def test_is_there_while_the_job_runs_and_gone_once_it_has_ended(self, end: str) -> None:
        world = ModelWorld(now=NOW, life=FOREVER)
        task = self.task(world)
        first = task.deferred()
        assert list(world.models.models) == [self.model(world)]
        ends(world, end)

        if end == "Completed":
            task.after(first, end)
        else:
            with pytest.raises(Exception, match=world.created[0]):
                task.after(first, end)

        assert world.models.models == {}

    def test_is_kept_where_it_is_everybodys(self) -> None:
        world = ModelWorld()

        run(self.task(world, delete_model=False).operator(), world)

        assert list(world.models.models) == [self.model(world)]

    def test_differs_from_that_of_other_work_and_is_the_same_in_every_try(self) -> None:
        names = set()
        for ti in (FakeTaskInstance(), FakeTaskInstance(try_number=2), FakeTaskInstance(run_id="other")):
            world = ModelWorld(now=NOW, life=FOREVER)
            self.task(world, ti).deferred()
            names.add(self.model(world))

        assert len(names) == 2
        assert all(len(name) <= 63 for name in names)

    def test_is_made_again_for_another_instance_type_and_goes_with_the_last_job(self) -> None:
        world = ModelWorld(now=NOW, life=FOREVER, reason="CapacityError: none left")
        world.batch.poisoned = set(world.objects)
        task = self.task(world, instance_types=["ml.m5.xlarge"])
        first = task.deferred()
        ends(world, "Failed")

        with pytest.raises(TaskDeferred) as again:
            task.after(first, "Failed")
        assert list(world.models.models) == [self.model(world)]
        ends(world, "Failed")
        with pytest.raises(JobCapacityError):
            task.after(again.value, "Failed")

        assert len(world.created) == 2
        assert world.models.models == {}

    def test_does_not_keep_a_clear_from_reusing_the_job(self) -> None:
        world = ModelWorld()
        first = run(self.task(world).operator(), world)
        world.now += 3600

        again = run(self.task(world).operator(), world, FakeTaskInstance(max_tries=1))

        assert (again["job_name"], again["reused"], first["reused"]) == (first["job_name"], True, False)
        assert world.models.models == {}

    def test_is_on_record_so_that_who_goes_on_knows_what_to_delete(self) -> None:
        world = ModelWorld(now=NOW, life=FOREVER)
        self.task(world).deferred()

        written = Ledger(world.store, S3Uri("b", "_batchtx/")).intent(world.created[0])

        assert written is not None
        assert written.intent.model_created == self.model(world)
