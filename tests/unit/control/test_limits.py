"""How long a job may run and what it may cost, and what happens once that has passed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.control.limits import Limits, enforced, looked, outwait, stop, wait
from airflow_batchtx.errors import InvalidJob, JobNotFound, JobTimedOut, ServiceUnavailable
from airflow_batchtx.planning.cost import cost
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prices import Price, PriceTable
from tests.fake_batch import World
from tests.fake_sagemaker import CREATED, REQUEST, refusal

NOW = CREATED.timestamp()
HOURLY = Price(per_hour=3.6, currency="USD", date="2026-11-01", source="a test")
PRICES = PriceTable(prices={("us-east-1", "ml.m5.large"): HOURLY})


def job(created: float = 0.0, started: float | None = None) -> dict[str, Any]:
    """What Describe says of a running job; times in seconds after NOW."""
    times = {"CreationTime": created} | ({} if started is None else {"TransformStartTime": started})
    return {
        **REQUEST,
        "TransformJobStatus": "InProgress",
        **{name: CREATED + timedelta(seconds=time) for name, time in times.items()},
    }


class TestTheDeadline:
    @pytest.mark.parametrize(
        ("runtime", "billed", "described", "ends"),
        [
            (None, None, job(0, 180), None),
            (600, None, job(0, 180), 600),
            (600, None, job(0), 600),
            (600, None, None, 1100),  # not looked at yet: created just now
            (None, 600, job(0, 180), 780),
            (None, 600, job(0), 1100),  # has not started, and costs nothing: what it may cost is all to come
            (None, 600, None, 1100),
            (600, 600, job(0, 180), 600),
            (900, 600, job(0, 180), 780),
            (900, 600, job(0), 900),
        ],
    )
    def test_counts_runtime_from_creation_and_money_from_the_start(
        self, runtime: float | None, billed: float | None, described: Any, ends: float | None
    ) -> None:
        deadline = Limits(max_runtime=runtime, max_billed=billed).deadline(described, NOW + 500)

        assert deadline == (None if ends is None else NOW + ends)

    @given(
        money=st.floats(0.01, 1e5),
        price=st.floats(0.01, 200),
        count=st.integers(1, 100),
        provisioned=st.integers(0, 10_000),
    )
    def test_of_money_is_where_all_instances_have_used_it_up(
        self, money: float, price: float, count: int, provisioned: int
    ) -> None:
        known = Price(per_hour=price, currency="USD", date="2026-11-01", source="a test")
        prices = PriceTable(prices={("us-east-1", "ml.m5.large"): known})
        request = {**REQUEST, "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": count}}

        limits = Limits.of(Policy(max_cost=money), prices, "us-east-1", request)
        ends = limits.deadline(job(0, provisioned), NOW)

        assert ends is not None
        assert cost((ends - NOW - provisioned) * count, known) == pytest.approx(money, rel=1e-4, abs=1e-4)

    def test_of_money_needs_a_price(self) -> None:
        with pytest.raises(InvalidJob) as caught:
            Limits.of(Policy(max_cost=1.0), PRICES, "eu-west-1", REQUEST)

        (problem,) = caught.value.problems
        assert (problem.field, problem.value) == ("max_cost", 1.0)

    def test_of_time_alone_needs_none(self) -> None:
        assert Limits.of(Policy(max_runtime=60.0), PRICES, "eu-west-1", REQUEST) == Limits(max_runtime=60.0)


def running(life: tuple[str, ...] = ("InProgress",)) -> World:
    world = World(now=NOW)
    world.batch.add("nightly", life)
    return world


def starts(world: World, after: float) -> None:
    world.batch.jobs["nightly"]["TransformStartTime"] = datetime.fromtimestamp(NOW + after, timezone.utc)


class TestEnforcing:
    def test_stops_a_job_whose_time_is_over(self) -> None:
        world = running()
        world.now += 60

        with pytest.raises(JobTimedOut) as caught:
            enforced(world.services, "nightly", Limits(max_runtime=60))

        assert (caught.value.job_name, caught.value.seconds, caught.value.stopped) == ("nightly", 60.0, True)
        assert world.stopped == ["nightly"]

    @pytest.mark.parametrize("limits", [Limits(), Limits(max_runtime=61), Limits(max_billed=11)])
    def test_leaves_a_job_alone_that_has_time_left_by_what_is_known_now(self, limits: Limits) -> None:
        world = running()
        starts(world, 50)
        world.now += 60

        assert enforced(world.services, "nightly", limits)["TransformJobStatus"] == "InProgress"
        assert world.stopped == []

    @pytest.mark.parametrize("end", ["Completed", "Failed", "Stopped"])
    def test_leaves_a_job_alone_that_has_ended_meanwhile(self, end: str) -> None:
        world = running((end,))
        world.now += 60

        assert enforced(world.services, "nightly", Limits(max_runtime=60))["TransformJobStatus"] == end
        assert world.stopped == []

    def test_says_that_a_job_was_stopping_anyway(self) -> None:
        world = running(("Stopping",))
        world.now += 60

        with pytest.raises(JobTimedOut) as caught:
            enforced(world.services, "nightly", Limits(max_runtime=60))

        assert not caught.value.stopped


class TestWaiting:
    def wait(self, world: World, limits: Limits, report: Any = lambda _: None) -> Any:
        return wait(world.services, "nightly", limits, interval=30, report=report, chance=lambda: 0.5)

    def test_gives_the_job_once_it_has_ended(self) -> None:
        world, reported = running(("InProgress", "InProgress", "Stopping", "Stopped")), list[Any]()

        found = self.wait(world, Limits(max_runtime=3600), reported.append)

        assert found["TransformJobStatus"] == "Stopped"
        assert [seen["TransformJobStatus"] for seen in reported] == ["InProgress", "InProgress", "Stopping"]

    def test_ends_at_the_deadline_and_the_job_with_it(self) -> None:
        world = running()

        with pytest.raises(JobTimedOut) as caught:
            self.wait(world, Limits(max_runtime=100))

        assert caught.value.stopped
        assert world.now == pytest.approx(NOW + 100)
        assert world.stopped == ["nightly"]

    def test_does_not_charge_the_job_for_the_time_in_which_aws_looks_for_instances(self) -> None:
        world = running()

        def report(_: Any) -> None:
            if world.now >= NOW + 300:
                starts(world, 300)

        with pytest.raises(JobTimedOut):
            self.wait(world, Limits(max_billed=100), report)

        assert world.now == pytest.approx(NOW + 400)
        assert world.stopped == ["nightly"]

    def test_takes_the_end_of_a_job_that_ends_at_the_last_moment(self) -> None:
        world = running()

        def report(_: Any) -> None:
            if world.now >= NOW + 90:
                world.batch.lives["nightly"] = ["Stopped"]

        assert self.wait(world, Limits(max_runtime=100), report)["TransformJobStatus"] == "Stopped"
        assert world.stopped == []

    def test_is_over_at_once_for_a_job_that_does_not_exist(self) -> None:
        with pytest.raises(JobNotFound):
            self.wait(World(), Limits())


class TestStopping:
    def test_is_tried_again_while_sagemaker_cannot_be_asked(self) -> None:
        world = running()
        world.batch.trouble["StopTransformJob"] = [refusal("StopTransformJob", "ServiceUnavailable", status=503)] * 5

        assert stop(world.services, "nightly")
        assert world.stopped == ["nightly"] * 6
        assert world.slept == sorted(world.slept)

    def test_is_given_up_in_the_end_and_says_so(self) -> None:
        world = running()
        world.batch.trouble["StopTransformJob"] = [refusal("StopTransformJob", "ThrottlingException")] * 99

        with pytest.raises(ServiceUnavailable):
            stop(world.services, "nightly")

        assert len(world.stopped) == 6

    @pytest.mark.parametrize("status", ["Stopping", "Stopped", "Completed", "Failed"])
    def test_of_a_job_that_ends_anyway_is_no_error(self, status: str) -> None:
        world = running((status,))

        assert not stop(world.services, "nightly")

    def test_can_be_waited_for(self) -> None:
        world = running()
        stop(world.services, "nightly")

        assert outwait(world.services, "nightly")["TransformJobStatus"] == "Stopped"

    def test_is_not_waited_for_longer_than_is_said(self) -> None:
        world = running(("Stopping",))

        with pytest.raises(JobTimedOut):
            outwait(world.services, "nightly", timeout=50)

        assert world.now == pytest.approx(NOW + 50)


class TestLooking:
    def test_is_tried_again_while_sagemaker_cannot_be_asked(self) -> None:
        world = running()
        world.batch.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")] * 20

        assert looked(world.services, "nightly")["TransformJobName"] == "nightly"
        assert len(world.slept) == 20

    def test_is_given_up_after_an_hour(self) -> None:
        world = running()
        world.batch.trouble["DescribeTransformJob"] = [refusal("DescribeTransformJob", "ThrottlingException")] * 9999

        with pytest.raises(JobTimedOut):
            looked(world.services, "nightly")

        assert world.now == pytest.approx(NOW + 3600)
