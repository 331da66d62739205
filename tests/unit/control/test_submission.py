"""One job for one piece of work: whoever tries, however often, whatever happens in between."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from airflow_batchtx.control.assignment import Assignment, Origin
from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.control.submission import start
from airflow_batchtx.errors import (
    EmptyInput,
    InvalidJob,
    JobConflict,
    ModelCallRefused,
    ModelNotFound,
    OutputIncomplete,
    Postponed,
    QuotaExceeded,
    ServiceUnavailable,
    WaitInterrupted,
)
from airflow_batchtx.spec.intent import Intent, Try
from airflow_batchtx.spec.policy import OnChanged, OnExisting, OnQuota, OnStopped, Policy
from airflow_batchtx.spec.prices import PriceTable
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import IDENTITY, World, assignment
from tests.fake_sagemaker import REQUEST, refusal

NAME = f"churn-{IDENTITY.digest}"
CONTROL = S3Uri("b", "_batchtx/")
FOREVER = ("InProgress",)


def intent_of(world: World, name: str) -> Intent:
    written = Ledger(world.store, CONTROL).intent(name)
    assert written is not None
    return written.intent


def finished(world: World, mine: Assignment) -> TransformResult:
    """Start the work's job, and see it to its end."""
    started = start(world.services, mine)
    while (described := world.services.jobs.describe(started.job_name))["TransformJobStatus"] in (
        "InProgress",
        "Stopping",
    ):
        world.sleep(1)
    return ending(world, mine.policy).concluded(described, started.on_record)


def ending(world: World, policy: Policy) -> Ending:
    return Ending(services=world.services, policy=policy, prices=PriceTable(prices={}))


def sent(world: World, name: str) -> tuple[str, str]:
    source = world.batch.jobs[name]["TransformInput"]["DataSource"]["S3DataSource"]
    return source["S3DataType"], source["S3Uri"]


def outputs(world: World) -> dict[str, bytes]:
    return {uri.key: body for uri, body in world.store.bodies.items() if uri.key.startswith("out/")}


class TestTheFirstTry:
    def test_makes_a_job_under_the_name_of_the_work(self) -> None:
        world = World()
        started = start(world.services, assignment())

        assert (started.job_name, started.origin) == (NAME, Origin.CREATED)
        assert world.created == [NAME]
        assert sent(world, NAME) == ("S3Prefix", "s3://b/in/")

    def test_says_before_the_paid_call_what_the_job_will_do(self) -> None:
        world = World()
        world.batch.trouble["CreateTransformJob"] = [KeyboardInterrupt()]  # type: ignore[list-item]
        with pytest.raises(KeyboardInterrupt):
            start(world.services, assignment())

        intent = intent_of(world, NAME)
        assert world.created == []
        assert (intent.job_name, intent.attempt, intent.epoch, intent.identity) == (NAME, 1, 0, IDENTITY)
        assert [(one.uri, one.target, one.before) for one in intent.objects] == [
            (f"s3://b/in/{name}.csv", f"s3://b/out/{name}.csv.out", None) for name in "abc"
        ]

    def test_keeps_no_secret_of_the_environment(self) -> None:
        world = World()
        start(world.services, assignment({**REQUEST, "Environment": {"TOKEN": "hunter2"}}))

        assert world.batch.jobs[NAME]["Environment"] == {"TOKEN": "hunter2"}
        assert not any(b"hunter2" in body for body in world.store.bodies.values())

    def test_pins_its_input_by_a_manifest_where_the_prefix_holds_more(self) -> None:
        world = World()
        world.put("s3://b/in/_SUCCESS", b"x")
        world.put("s3://b/in/empty.csv", b"")
        start(world.services, assignment())

        kind, uri = sent(world, NAME)
        assert (kind, S3Uri.parse(uri).folder) == ("ManifestFile", CONTROL / f"{NAME}/")
        manifest = json.loads(world.store.get(S3Uri.parse(uri)))
        assert manifest == [{"prefix": "s3://b/in/"}, "a.csv", "b.csv", "c.csv"]
        assert intent_of(world, NAME).empty == ("s3://b/in/empty.csv",)

    def test_takes_several_prefixes(self) -> None:
        world = World({"s3://b/in/1/a.csv": b"1\n", "s3://b/in/2/a.csv": b"2\n", "s3://b/in/3/a.csv": b"3\n"})
        request = json.loads(json.dumps(REQUEST))
        request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] = ["s3://b/in/1/", "s3://b/in/3/a.csv"]
        result = finished(world, assignment(request))

        assert outputs(world) == {"out/1/a.csv.out": b"1\n!", "out/3/a.csv.out": b"3\n!"}
        assert result.objects == result.objects_done == 2

    def test_sends_only_what_the_patterns_let_in(self) -> None:
        world = World()
        finished(world, assignment(include=("*.csv",), exclude=("b*",)))
        assert sorted(outputs(world)) == ["out/a.csv.out", "out/c.csv.out"]

    def test_pays_for_nothing_without_input(self) -> None:
        world = World({"s3://b/in/_SUCCESS": b"x", "s3://b/in/a.csv": b""})
        with pytest.raises(EmptyInput) as caught:
            start(world.services, assignment())
        assert (caught.value.empty, caught.value.left_out) == (1, 1)
        assert world.batch.names("CreateTransformJob") == []

    def test_pays_for_nothing_without_the_model(self) -> None:
        world = World()
        world.batch.trouble["DescribeModel"] = [refusal("DescribeModel", "ValidationException", "Could not find model")]
        with pytest.raises(ModelNotFound):
            start(world.services, assignment())
        assert world.batch.names("CreateTransformJob") == []

    def test_pays_for_nothing_where_outputs_would_be_read_as_inputs(self) -> None:
        world = World()
        request = {**REQUEST, "TransformOutput": {"S3OutputPath": "s3://b/in/out/"}}
        with pytest.raises(InvalidJob):
            start(world.services, assignment(request))
        assert world.batch.names("CreateTransformJob") == []


class TestALaterTry:
    def test_adopts_the_job_that_runs(self) -> None:
        world = World(life=FOREVER)
        first, second = (start(world.services, assignment()) for _ in range(2))

        assert (second.job_name, second.origin) == (first.job_name, Origin.ADOPTED)
        assert world.created == [NAME]

    def test_adopts_it_whatever_has_become_of_the_input(self) -> None:
        world = World(life=FOREVER)
        start(world.services, assignment())
        world.store.delete([S3Uri("b", f"in/{name}.csv") for name in "abc"])
        assert start(world.services, assignment()).origin is Origin.ADOPTED

    def test_says_of_an_object_that_came_between_but_does_not_score_it(self, caplog: pytest.LogCaptureFixture) -> None:
        world = World(life=("InProgress", "InProgress", "Completed"))
        start(world.services, assignment())
        world.put("s3://b/in/late.csv")
        result = finished(world, assignment())

        assert world.created == [NAME]
        assert "objects added: 1 (s3://b/in/late.csv)" in caplog.text
        # SageMaker lists a prefix when it likes: what it answers beyond the pinned objects is told, and left out.
        assert (result.objects, result.objects_done) == (3, 3)
        record = Ledger(world.store, CONTROL).record(NAME)
        assert record is not None
        assert [one.input for one in record.objects] == [f"s3://b/in/{name}.csv" for name in "abc"]

    def test_takes_up_an_intent_that_made_no_job(self) -> None:
        world = World()
        world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ThrottlingException")]
        with pytest.raises(Postponed):
            start(world.services, assignment())
        before = intent_of(world, NAME)
        world.now += 100
        start(world.services, assignment())

        assert world.created == [NAME]
        assert intent_of(world, NAME) == before

    def test_writes_an_intent_anew_that_made_no_job_and_means_something_else_by_now(self) -> None:
        world = World()
        world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ThrottlingException")]
        with pytest.raises(Postponed):
            start(world.services, assignment())
        world.put("s3://b/in/d.csv")
        start(world.services, assignment())

        assert len(intent_of(world, NAME).objects) == 4

    def test_finds_the_job_whose_creation_got_no_answer(self) -> None:
        world = World(life=FOREVER)
        create = world.batch.create_transform_job

        def unheard(**request: Any) -> dict[str, Any]:
            create(**request)
            raise refusal("CreateTransformJob", "ServiceUnavailable", status=503)

        world.batch.create_transform_job = unheard  # type: ignore[method-assign]
        assert start(world.services, assignment()).origin is Origin.ADOPTED
        assert world.created == [NAME]

    def test_fails_where_the_service_is_down_and_made_no_job(self) -> None:
        world = World()
        lost = refusal("CreateTransformJob", "ServiceUnavailable", status=503)
        world.batch.trouble["CreateTransformJob"] = [lost]
        with pytest.raises(ServiceUnavailable):
            start(world.services, assignment())
        assert start(world.services, assignment()).origin is Origin.CREATED

    def test_leaves_the_intent_of_a_twins_job_alone(self) -> None:
        world = World()
        describe = world.batch.describe_transform_job

        def late(**request: Any) -> dict[str, Any]:
            # A twin makes the job, which Completes, right after this process has found that there is none.
            world.batch.describe_transform_job = describe  # type: ignore[method-assign]
            try:
                return describe(**request)
            finally:
                finished(world, assignment())
                world.put("s3://b/in/late.csv")

        world.batch.describe_transform_job = late  # type: ignore[method-assign]
        started = start(world.services, assignment())

        assert (started.job_name, started.origin) == (NAME, Origin.REUSED)
        assert len(intent_of(world, NAME).objects) == 3
        assert set(world.batch.sent.values()) == {1}

    def test_makes_no_job_in_a_process_that_is_to_end(self) -> None:
        world = World()

        def cut(_: float) -> None:
            raise WaitInterrupted("")

        with pytest.raises(WaitInterrupted):
            start(replace(world.services, sleep=cut), assignment())
        assert world.created == []

    @pytest.mark.parametrize("trouble", ["model", "input"])
    def test_reuses_what_is_done_whatever_has_become_of_what_it_was_made_of(self, trouble: str) -> None:
        world = World()
        finished(world, assignment())
        if trouble == "model":
            gone = refusal("DescribeModel", "ValidationException", "Could not find model")
            world.batch.trouble["DescribeModel"] = [gone]
        else:
            world.store.delete([S3Uri("b", f"in/{name}.csv") for name in "abc"])
        assert start(world.services, assignment()).origin is Origin.REUSED

    def test_adopts_the_job_of_a_twin_that_was_quicker(self) -> None:
        world = World(life=FOREVER)
        create = world.batch.create_transform_job

        def beaten(**request: Any) -> dict[str, Any]:
            world.batch.create_transform_job = create  # type: ignore[method-assign]
            start(world.services, assignment())
            return create(**request)

        world.batch.create_transform_job = beaten  # type: ignore[method-assign]

        assert start(world.services, assignment()).origin is Origin.ADOPTED
        assert world.created == [NAME]

    def test_refuses_a_job_of_other_work_under_its_name(self) -> None:
        world = World(life=FOREVER)
        start(world.services, assignment())
        ledger = Ledger(world.store, CONTROL)
        written = ledger.intent(NAME)
        assert written is not None
        ledger.announce(replace(written.intent, identity=replace(IDENTITY, namespace="prod")), instead_of=written)

        with pytest.raises(JobConflict, match="other work"):
            start(world.services, assignment())

    def test_replaces_a_job_that_is_being_stopped(self) -> None:
        world = World(life=FOREVER)
        start(world.services, assignment())
        world.batch.stop_transform_job(TransformJobName=NAME)
        started = start(world.services, assignment())

        assert (started.job_name, started.origin) == (f"{NAME}-2", Origin.CREATED)

    def test_replaces_a_changed_job_that_runs_where_it_is_told_to(self) -> None:
        world = World(life=FOREVER)
        start(world.services, assignment())
        world.put("s3://b/in/late.csv")
        started = start(world.services, assignment(on_changed=OnChanged.REPLACE))

        assert started.job_name == f"{NAME}-2"
        assert world.stopped == [NAME]
        assert len(intent_of(world, f"{NAME}-2").objects) == 4

    @pytest.mark.parametrize("policy", [OnChanged.REPLACE, OnChanged.FAIL])
    @pytest.mark.parametrize("end", ["InProgress", "Completed"])
    @pytest.mark.parametrize("code", ["AccessDeniedException", "InternalFailure"])
    def test_takes_nothing_for_changed_that_cannot_be_seen(self, code: str, end: str, policy: OnChanged) -> None:
        world = World(life=("InProgress", end))
        start(world.services, assignment())
        world.batch.lives[NAME] = [end]
        world.batch.trouble["DescribeModel"] = [refusal("DescribeModel", code)]
        with pytest.raises((ModelCallRefused, ServiceUnavailable)):
            start(world.services, assignment(on_changed=policy))

        assert (world.created, world.stopped) == ([NAME], [])
        again = start(world.services, assignment(on_changed=policy))
        assert again.origin is (Origin.ADOPTED if end == "InProgress" else Origin.REUSED)

    def test_takes_an_input_that_is_gone_for_changed(self) -> None:
        world = World(life=FOREVER)
        start(world.services, assignment())
        world.store.delete([S3Uri("b", f"in/{name}.csv") for name in "abc"])
        with pytest.raises(EmptyInput):
            start(world.services, assignment(on_changed=OnChanged.REPLACE))
        assert world.stopped == [NAME]

    def test_waits_for_a_job_that_is_not_described_yet_though_its_name_is_taken(self) -> None:
        world = World(life=FOREVER)
        start(world.services, assignment())
        describe, shown = world.batch.describe_transform_job, world.now + 5

        def late(**request: Any) -> dict[str, Any]:
            if world.now < shown:
                raise refusal("DescribeTransformJob", "ValidationException", "Could not find requested job")
            return describe(**request)

        world.batch.describe_transform_job = late  # type: ignore[method-assign]
        started = start(world.services, assignment())

        assert (started.job_name, started.origin) == (NAME, Origin.ADOPTED)

    def test_leaves_a_changed_job_alone_where_it_is_told_to_fail(self) -> None:
        world = World(life=FOREVER)
        start(world.services, assignment())
        world.batch.model = {"ModelName": "churn", "PrimaryContainer": {"Image": "churn:2"}}
        with pytest.raises(JobConflict) as caught:
            start(world.services, assignment(on_changed=OnChanged.FAIL))

        assert caught.value.differences == ("model PrimaryContainer.Image was 'churn:1', is 'churn:2'",)
        assert world.stopped == []


class TestAClear:
    def test_reuses_what_is_done_and_unchanged(self) -> None:
        world = World()
        first = finished(world, assignment())
        again = finished(world, assignment(epoch=1))

        assert world.created == [NAME]
        assert (again.job_name, again.reused, first.reused) == (NAME, True, False)
        assert again.objects_done == 3

    def test_reruns_everything_once_where_it_is_told_to(self) -> None:
        world = World()
        policy = {"on_existing": OnExisting.RERUN}
        finished(world, assignment())
        for _ in range(2):  # the second is a retry of the same clear
            finished(world, assignment(epoch=1, **policy))

        assert world.created == [NAME, f"{NAME}-2"]
        assert set(world.batch.sent.values()) == {2}

    def test_runs_only_what_changed(self) -> None:
        world = World()
        finished(world, assignment())
        world.put("s3://b/in/b.csv", b"3,4\n")
        result = finished(world, assignment(epoch=1))

        assert result.job_name == f"{NAME}-2"
        assert world.batch.sent == {"s3://b/in/a.csv": 1, "s3://b/in/b.csv": 2, "s3://b/in/c.csv": 1}
        assert outputs(world)["out/b.csv.out"] == b"3,4\n!"
        assert (result.objects, result.objects_done) == (3, 3)

    def test_runs_everything_with_another_model(self) -> None:
        world = World()
        finished(world, assignment())
        world.batch.model = {"ModelName": "churn", "PrimaryContainer": {"Image": "churn:2"}}
        finished(world, assignment(epoch=1))
        assert set(world.batch.sent.values()) == {2}

    def test_makes_lost_outputs_again(self) -> None:
        world = World()
        finished(world, assignment())
        world.store.delete([S3Uri("b", "out/b.csv.out")])
        finished(world, assignment(epoch=1))

        assert world.batch.sent["s3://b/in/b.csv"] == 2
        assert sum(world.batch.sent.values()) == 4

    def test_does_not_take_outputs_for_its_own_that_other_work_wrote_over_them(self) -> None:
        world = World()
        finished(world, assignment())
        world.put("s3://b/out/b.csv.out", b"other")
        finished(world, assignment(epoch=1))
        assert outputs(world)["out/b.csv.out"] == b"1,2\n!"

    @pytest.mark.parametrize(
        ("tried", "sent"),
        [
            (Try(number=1, id="of the first run"), 1),  # the very same try
            (Try(number=2, id="the next one"), 1),
            (Try(number=1, id="of another run"), 2),
        ],
    )
    def test_is_what_a_run_is_that_was_deleted_and_made_anew(self, tried: Try, sent: int) -> None:
        world = World()
        finished(world, replace(assignment(), tried=Try(number=1, id="of the first run")))
        world.put("s3://b/in/b.csv", b"3,4\n")
        finished(world, replace(assignment(), tried=tried))

        assert world.batch.sent == {"s3://b/in/a.csv": 1, "s3://b/in/b.csv": sent, "s3://b/in/c.csv": 1}

    def test_sends_again_what_would_have_its_output_elsewhere(self) -> None:
        world = World({"s3://b/in/1/a.csv": b"1\n", "s3://b/in/2/a.csv": b"2\n"})
        request = json.loads(json.dumps(REQUEST))
        request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://b/in/1/"
        finished(world, assignment(request))
        request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] = ["s3://b/in/1/", "s3://b/in/2/"]
        result = finished(world, assignment(request, epoch=1))

        assert outputs(world).keys() == {"out/a.csv.out", "out/1/a.csv.out", "out/2/a.csv.out"}
        assert (result.objects, result.objects_done) == (2, 2)

    def test_fails_where_it_is_told_to(self) -> None:
        world = World()
        finished(world, assignment())
        with pytest.raises(JobConflict, match="on_existing is fail"):
            start(world.services, assignment(epoch=1, on_existing=OnExisting.FAIL))

    def test_needs_no_job_where_only_objects_are_gone(self) -> None:
        world = World()
        finished(world, assignment())
        world.store.delete([S3Uri("b", "in/b.csv")])
        result = finished(world, assignment(epoch=1))

        assert world.created == [NAME]
        assert (result.objects, result.objects_done) == (2, 2)


class TestAfterAFailure:
    def world(self) -> World:
        world = World(life=("InProgress", "Failed"), reason="ClientError: See job logs for more information")
        world.batch.poisoned = {"s3://b/in/b.csv"}
        start(world.services, assignment())
        while world.services.jobs.describe(NAME)["TransformJobStatus"] != "Failed":
            pass
        world.batch.life = ("InProgress", "Completed")
        return world

    def test_only_what_has_no_output_is_sent_again(self) -> None:
        world = self.world()
        world.batch.poisoned = set()
        result = finished(world, assignment())

        assert world.batch.sent == {"s3://b/in/a.csv": 1, "s3://b/in/b.csv": 2, "s3://b/in/c.csv": 1}
        assert (result.job_name, result.attempts) == (f"{NAME}-2", 2)
        assert (result.objects, result.objects_done) == (3, 3)
        record = Ledger(world.store, CONTROL).record(f"{NAME}-2")
        assert record is not None
        assert [one.job_name for one in record.objects] == [NAME, f"{NAME}-2", NAME]

    def test_everything_is_sent_again_without_resume(self) -> None:
        world = self.world()
        world.batch.poisoned = set()
        finished(world, assignment(resume=False))
        assert set(world.batch.sent.values()) == {2}

    def test_there_may_be_nothing_left_to_send(self) -> None:
        world = World(life=("InProgress", "Failed"), reason="InternalServerError: We encountered an internal error.")
        start(world.services, assignment())
        world.services.jobs.describe(NAME)
        world.services.jobs.describe(NAME)
        result = finished(world, assignment())

        assert world.created == [NAME]
        assert (result.status, result.objects_done, result.reused) == ("Failed", 3, True)

    def test_a_job_that_completed_without_all_outputs_is_no_success(self) -> None:
        world = World()
        world.batch.poisoned = {"s3://b/in/b.csv"}
        with pytest.raises(OutputIncomplete) as caught:
            finished(world, assignment())
        assert (caught.value.missing, caught.value.count, caught.value.total) == (("s3://b/in/b.csv",), 1, 3)

    def test_an_old_output_in_its_place_is_none(self) -> None:
        world = World()
        world.batch.poisoned = {"s3://b/in/b.csv"}
        world.put("s3://b/out/b.csv.out", b"last week's")
        with pytest.raises(OutputIncomplete):
            finished(world, assignment())


class TestAStoppedJob:
    def test_that_was_accepted_is_reused_by_a_retry(self) -> None:
        world = World(life=("InProgress", "Stopped"))
        policy = {"on_stopped": OnStopped.ACCEPT}
        first = finished(world, assignment(**policy))
        again = finished(world, assignment(**policy))

        assert world.created == [NAME]
        assert (first.status, again.status, again.reused) == ("Stopped", "Stopped", True)

    def test_that_was_accepted_is_made_anew_after_a_clear(self) -> None:
        world = World(life=("InProgress", "Stopped"))
        finished(world, assignment(on_stopped=OnStopped.ACCEPT))
        start(world.services, assignment(epoch=1, on_stopped=OnStopped.ACCEPT))
        assert world.created == [NAME, f"{NAME}-2"]


class TestQuotaAndCapacity:
    def test_a_quota_postpones(self) -> None:
        world = World()
        world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ResourceLimitExceeded")]
        with pytest.raises(Postponed):
            start(world.services, assignment())
        assert start(world.services, assignment()).job_name == NAME

    @pytest.mark.parametrize(
        ("code", "error"), [("ResourceLimitExceeded", QuotaExceeded), ("ThrottlingException", ServiceUnavailable)]
    )
    def test_a_quota_fails_where_it_is_told_to(self, code: str, error: type[Exception]) -> None:
        world = World()
        world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", code)]
        with pytest.raises(error):
            start(world.services, assignment(on_quota=OnQuota.FAIL))

    def test_the_next_instance_type_is_tried_after_there_was_no_capacity(self) -> None:
        world = World(life=("Failed",), reason="CapacityError: Unable to provision requested ML compute capacity.")
        world.batch.poisoned = {f"s3://b/in/{name}.csv" for name in "abc"}
        types = []
        for _ in range(4):
            started = start(world.services, assignment(instance_types=("ml.m5.xlarge", "ml.c5.xlarge")))
            world.services.jobs.describe(started.job_name)
            types.append(world.batch.jobs[started.job_name]["TransformResources"]["InstanceType"])

        # Once all have been tried, the one that was asked for is tried again.
        assert types == ["ml.m5.large", "ml.m5.xlarge", "ml.c5.xlarge", "ml.m5.large"]


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens between the tries: no two jobs run at once, and work that is done is not paid for again."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(life=FOREVER)
        self.epoch = self.late = 0

    def running(self) -> list[str]:
        return [name for name, life in self.world.batch.lives.items() if life[0] in ("InProgress", "Stopping")]

    def end(self, status: str) -> None:
        for name in self.running():
            self.world.batch.lives[name] = [status]
            self.world.batch.describe_transform_job(TransformJobName=name)

    @rule()
    def retry(self) -> None:
        running, before = self.running(), self.world.created
        started = start(self.world.services, assignment(epoch=self.epoch))

        made = self.world.created[len(before) :]
        assert len(made) <= 1
        if any(self.world.batch.lives[name][0] == "InProgress" for name in running):
            assert (made, started.job_name) == ([], running[0])

    @rule()
    def clear(self) -> None:
        self.epoch += 1
        self.retry()

    @rule()
    def retry_of_done_work(self) -> None:
        self.retry()
        self.end("Completed")
        self.retry()
        self.end("Completed")
        before, sent = self.world.created, dict(self.world.batch.sent)
        assert start(self.world.services, assignment(epoch=self.epoch)).origin is Origin.REUSED
        assert (self.world.created, self.world.batch.sent) == (before, sent)

    @rule()
    def throttled(self) -> None:
        self.world.batch.trouble["CreateTransformJob"] = [refusal("CreateTransformJob", "ThrottlingException")]
        with suppress(Postponed):
            start(self.world.services, assignment(epoch=self.epoch))
        self.world.batch.trouble.clear()

    @rule(status=st.sampled_from(["Completed", "Failed", "Stopped"]))
    def the_job_ends(self, status: str) -> None:
        self.end(status)

    @rule()
    def the_job_is_being_stopped(self) -> None:
        for name in self.running():
            self.world.batch.lives[name] = ["Stopping", "Stopped"]

    @rule()
    def an_object_comes(self) -> None:
        self.late += 1
        self.world.put(f"s3://b/in/late{self.late}.csv")

    @rule()
    def an_output_is_lost(self) -> None:
        self.world.store.delete([S3Uri("b", "out/a.csv.out")])

    @invariant()
    def no_two_jobs_run(self) -> None:
        assert len(self.running()) <= 1


AnyHistory.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestAnyHistory = AnyHistory.TestCase
