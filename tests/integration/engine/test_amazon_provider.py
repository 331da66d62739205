"""The amazon provider's own operator, sensor and trigger, unchanged but for the endpoints in their environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import ROLE, Desk

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).parents[3]
BESIDE = ROOT / ".venv-aiobotocore"


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


@pytest.mark.skipif(not (BESIDE / ".installed").exists(), reason="aiobotocore is not installed: make aiobotocore")
@pytest.mark.parametrize(("behaviour", "status"), [("echo", "success"), ("refusing", "failed")])
def test_the_operator_defers_to_the_trigger(
    desk: Desk, environment: None, tmp_path: Path, behaviour: str, status: str
) -> None:
    desk.put_at("in/a.csv", b"bad")
    request = desk.request(desk.model(desk.models.url(behaviour)))
    (packages,) = BESIDE.glob("lib/python3*/site-packages")
    # aiobotocore needs a botocore older than ours, so it has a process of its own, in which its own comes first.
    path = os.pathsep.join([str(packages), str(ROOT)])
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "clients" / "amazon_deferred.py", json.dumps(request)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["event"]["status"] == status
    job = desk.ended(request["TransformJobName"])
    if status == "success":
        assert told["result"]["Transform"]["TransformJobName"] == request["TransformJobName"]
        assert job["TransformJobStatus"] == "Completed"
    else:
        assert "ClientError: See job logs for more information" in str(told["event"])


@pytest.mark.parametrize(("behaviour", "ends_well"), [("held", True), ("refusing", False)])
def test_the_sensor_pokes_until_the_end(desk: Desk, environment: None, behaviour: str, ends_well: bool) -> None:
    from airflow.exceptions import AirflowException
    from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerTransformSensor

    desk.put_at("in/a.csv", b"bad")
    desk.models.release.clear()
    name = desk.start(desk.model(desk.models.url(behaviour)))
    sensor = SageMakerTransformSensor(task_id="wait", job_name=name, aws_conn_id=None)

    if ends_well:
        assert sensor.poke({}) is False
        desk.models.release.set()
    desk.ended(name)

    if ends_well:
        assert sensor.poke({}) is True
    else:
        with pytest.raises(AirflowException, match="ClientError: See job logs for more information"):
            sensor.poke({})
