"""The amazon provider's own operator against the engine, unchanged but for the endpoint in its environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import ROLE, Desk

pytestmark = pytest.mark.airflow


@pytest.fixture
def environment(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Give this process what `batchtx local env` prints, and an Airflow home that is nobody's."""
    for name, value in {
        "AIRFLOW_HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": desk.engine.storage,
        "AWS_ENDPOINT_URL_SAGEMAKER": desk.engine.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    return


def test_the_operator_creates_the_model_runs_the_job_and_waits(desk: Desk, environment: None) -> None:
    from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTransformOperator

    desk.put_at("in/a.csv", b"1\n2\n")
    model = {
        "ModelName": f"of-{desk.bucket}",
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {"Image": desk.models.url("echo")},
    }
    operator = SageMakerTransformOperator(
        task_id="score",
        config={"Model": model, "Transform": desk.request(model["ModelName"], SplitType="Line", AssembleWith="Line")},
        aws_conn_id=None,
        check_interval=1,
        deferrable=False,
    )

    result = operator.execute({})

    assert result["Transform"]["TransformJobStatus"] == "Completed"
    assert result["Model"]["PrimaryContainer"]["Image"] == model["PrimaryContainer"]["Image"]
    assert desk.get("out/a.csv.out") == b"1\n2\n"


def test_the_operator_raises_for_a_failed_job(desk: Desk, environment: None) -> None:
    from airflow.exceptions import AirflowException
    from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTransformOperator

    desk.put_at("in/a", b"bad")
    request = desk.request(desk.model(desk.models.url("refusing")))
    operator = SageMakerTransformOperator(
        task_id="score", config=request, aws_conn_id=None, check_interval=1, deferrable=False
    )

    with pytest.raises(AirflowException, match="ClientError: See job logs for more information"):
        operator.execute({})
