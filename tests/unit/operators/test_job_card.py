"""What a task tells Airflow's page of jobs: from the job's beginning to its end, and why the task took it for none."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from airflow.sdk.execution_time.comms import SetXCom
from airflow.sdk.execution_time.supervisor import set_supervisor_comms

from airflow_batchtx.errors import JobFailed
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.spec.card import CARD, JobCard
from tests.fake_airflow import FakeTaskInstance, run
from tests.fake_batch import World
from tests.fake_sagemaker import REQUEST


class Supervisor:
    """Keeps the cards that were sent, and knows nothing else."""

    def __init__(self) -> None:
        self.cards: list[JobCard] = []

    def send(self, message: Any) -> Any:
        if not isinstance(message, SetXCom):
            raise NotImplementedError
        if message.key == CARD:
            assert (message.dag_id, message.task_id, message.map_index) == ("churn", "score", 3)
            self.cards.append(JobCard.read(message.value))
        return None


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor()
    with set_supervisor_comms(supervisor):
        yield supervisor


def ran(world: World, **options: Any) -> None:
    settings = {"poll_interval": 0.01, "deferrable": False, **options}
    task = BatchTransformOperator(task_id="score", job=REQUEST, **settings)
    with suppress(JobFailed):
        run(task, world, FakeTaskInstance(map_index=3))


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_is_told_of_at_once_and_again_at_its_end(supervisor: Supervisor, deferrable: bool) -> None:
    ran(World(), deferrable=deferrable, region_name="eu-west-1")

    first, last = supervisor.cards
    assert (first.result.status, first.result.objects, first.result.ended) == ("InProgress", 3, None)
    assert first.result.created != ""
    assert (last.result.status, last.result.objects_done, last.reason) == ("Completed", 3, "")
    assert last.result.record is not None
    assert {card.aws_conn_id for card in supervisor.cards} == {"aws_default"}
    assert {card.region_name for card in supervisor.cards} == {"eu-west-1"}


def test_a_job_that_failed_tells_why_and_how_far_it_came(supervisor: Supervisor) -> None:
    ran(World(life=("InProgress", "Failed"), reason="AlgorithmError: it broke"))

    last = supervisor.cards[-1]
    assert (last.result.status, last.result.objects_done) == ("Failed", 3)
    assert "AlgorithmError: it broke" in last.reason


def test_a_job_that_is_not_waited_for_is_told_of_once(supervisor: Supervisor) -> None:
    ran(World(life=("InProgress",)), wait_for_completion=False)

    assert [card.result.status for card in supervisor.cards] == ["InProgress"]


def test_what_an_instance_costs_is_told_where_it_is_known(supervisor: Supervisor) -> None:
    lists = [{"region": "us-east-1", "date": "2026-11-01", "source": "us", "per_hour": {"ml.m5.large": 0.5}}]

    ran(World(), prices={"extends": False, "lists": lists})

    assert {(card.per_hour, card.currency) for card in supervisor.cards} == {(0.5, "USD")}


def test_a_page_that_cannot_be_told_is_no_reason_to_fail(caplog: pytest.LogCaptureFixture) -> None:
    class Gone(Supervisor):
        def send(self, message: Any) -> Any:
            if isinstance(message, SetXCom) and message.key == CARD:
                raise OSError("the supervisor is gone")
            return super().send(message)

    with set_supervisor_comms(Gone()), caplog.at_level(logging.WARNING):
        task = BatchTransformOperator(task_id="score", job=REQUEST, poll_interval=0.01, deferrable=False)
        made = run(task, World(), FakeTaskInstance(map_index=3))

    assert made["status"] == "Completed"
    assert "page of transform jobs" in caplog.text
