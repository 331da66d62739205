from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.execution_time.comms import GetXCom, SetXCom, XComResult
from airflow.sdk.execution_time.supervisor import set_supervisor_comms
from airflow.serialization.definitions.operatorlink import XComOperatorLink
from airflow.serialization.serialized_objects import DagSerialization

from airflow_batchtx.links.batch_transform import LINKS, TransformJobLink, publish_links
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_airflow import FakeTaskInstance

OUT = S3Uri.parse("s3://lake/out/")
AWS = SimpleNamespace(region="eu-west-1", endpoint="https://api.sagemaker.eu-west-1.amazonaws.com")
ISOLATED = SimpleNamespace(region="us-iso-east-1", endpoint="https://api.sagemaker.us-iso-east-1.c2s.ic.gov")


class LinkedOperator(BaseOperator):
    operator_extra_links = LINKS


class Supervisor:
    """Keeps XComs by task instance and key, as Airflow's does."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Any, ...], Any] = {}

    def send(self, message: Any) -> Any:
        place = (message.dag_id, message.run_id, message.task_id, message.map_index, message.key)
        if isinstance(message, SetXCom):
            self.kept[place] = message.value
        assert isinstance(message, SetXCom | GetXCom)
        return XComResult(key=message.key, value=self.kept.get(place))


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor()
    with set_supervisor_comms(supervisor):
        yield supervisor


def addresses(ti: FakeTaskInstance) -> list[str]:
    return [link.get_link(None, ti_key=ti) for link in LINKS]


def test_there_is_nothing_to_lead_to_before_there_is_a_job(supervisor: Supervisor) -> None:
    assert addresses(FakeTaskInstance()) == ["", "", ""]


def test_a_task_leads_to_its_job_its_logs_and_its_output(supervisor: Supervisor) -> None:
    ti = FakeTaskInstance(map_index=3)

    publish_links({"ti": ti}, "nightly-3", OUT, AWS)

    job, logs, output = addresses(ti)
    assert job == "https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/transform-jobs/nightly-3"
    assert "TransformJobs" in logs
    assert output.endswith("/s3/buckets/lake?region=eu-west-1&prefix=out/")
    assert addresses(FakeTaskInstance(map_index=4)) == ["", "", ""]


def test_a_new_attempt_leads_to_its_own_job(supervisor: Supervisor) -> None:
    ti = FakeTaskInstance()
    publish_links({"ti": ti}, "nightly", OUT, AWS)

    publish_links({"ti": ti}, "nightly-2", OUT, AWS)

    assert addresses(ti)[0].endswith("/nightly-2")


def test_where_no_console_is_known_a_link_leads_nowhere(supervisor: Supervisor) -> None:
    ti = FakeTaskInstance()

    publish_links({"ti": ti}, "nightly", OUT, ISOLATED)

    assert addresses(ti) == ["", "", ""]


def test_a_button_that_cannot_be_shown_is_no_reason_to_fail(caplog: pytest.LogCaptureFixture) -> None:
    class Gone:
        def send(self, message: Any) -> Any:
            raise OSError("the supervisor is gone")

    with set_supervisor_comms(Gone()), caplog.at_level(logging.WARNING):
        publish_links({"ti": FakeTaskInstance()}, "nightly", OUT, AWS)

    assert "nightly" in caplog.text


def test_airflows_server_knows_where_the_links_are_kept() -> None:
    with DAG("linked") as dag:
        LinkedOperator(task_id="plain")
        LinkedOperator.partial(task_id="mapped").expand(doc=["a", "b"])

    known = DagSerialization.from_dict(DagSerialization.to_dict(dag))

    for task_id in ("plain", "mapped"):
        links = known.get_task(task_id).operator_extra_link_dict
        assert set(links) == {"Transform job", "Transform logs", "Transform output"}
        assert links["Transform job"] == XComOperatorLink(name="Transform job", xcom_key=TransformJobLink().xcom_key)
