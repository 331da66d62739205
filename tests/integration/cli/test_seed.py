"""`batchtx seed` as a process, against a real engine."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.engines import ROLE, Desk
from tests.integration.cli.conftest import Shell

CASE, MODEL = "associate-predictions", "breast-cancer"


@pytest.fixture
def elsewhere() -> str:
    return f"bucket-{uuid4().hex[:12]}"


def archive_of(desk: Desk) -> str:
    return desk.client.describe_model(ModelName=MODEL)["PrimaryContainer"]["ModelDataUrl"]


def test_data_and_model_are_there_and_seeding_again_replaces_them(shell: Shell, desk: Desk, elsewhere: str) -> None:
    for bucket in (desk.bucket, desk.bucket, elsewhere):
        ran = shell.run("seed", CASE, "--bucket", bucket)
        assert ran.returncode == 0, ran.stderr
        assert f"Create the SageMaker model {MODEL}" in ran.stdout
        assert archive_of(desk) == f"s3://{bucket}/{CASE}/models/{MODEL}/model.tar.gz"

    found = desk.engine.s3.list_objects_v2(Bucket=elsewhere)["Contents"]
    assert [one["Key"] for one in found] == [
        f"{CASE}/models/{MODEL}/model.tar.gz", f"{CASE}/with-id/batch.csv", f"{CASE}/without-id/batch.csv"
    ]  # fmt: skip
    assert found[0]["ETag"] == desk.engine.s3.head_object(Bucket=desk.bucket, Key=found[0]["Key"])["ETag"]


def test_a_model_that_is_somebody_elses_is_left_alone(shell: Shell, desk: Desk) -> None:
    if MODEL in [one["ModelName"] for one in desk.client.list_models(NameContains=MODEL)["Models"]]:
        desk.client.delete_model(ModelName=MODEL)
    container = {"Image": "mine", "ModelDataUrl": f"s3://{desk.bucket}/mine/model.tar.gz"}
    desk.client.create_model(ModelName=MODEL, ExecutionRoleArn=ROLE, PrimaryContainer=container)

    ran = shell.run("seed", CASE, "--bucket", desk.bucket)

    assert ran.returncode == 1
    assert "is another one already" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert archive_of(desk) == container["ModelDataUrl"]
    desk.client.delete_model(ModelName=MODEL)
