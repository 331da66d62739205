"""The SageMaker Python SDK, in an environment of its own since its pins are many: `make sagemaker-sdk` builds that."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.engines import Desk
from tests.integration.engine.test_containers import packed

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-sagemaker" / "bin" / "python"
PROGRAM = ROOT / "tests" / "clients" / "sagemaker_sdk.py"
HANDLER = """
import os, time

def model_fn(model_dir):
    print("the model is", os.environ["GREETING"])

def transform_fn(model, data, content_type, accept):
    if os.environ["GREETING"] == "boom":
        raise RuntimeError("boom")
    if os.environ["GREETING"] == "slow":
        time.sleep(60)
    return f"{os.environ['GREETING']} {data}", "text/csv"
"""

pytestmark = pytest.mark.skipif(
    not (PYTHON.parents[1] / ".installed").exists(), reason="the SageMaker SDK is not installed: make sagemaker-sdk"
)


def at_work(desk: Desk, folder: Path, *works: str) -> tuple[dict[str, Any], str]:
    """Run the program: its results, and what it printed."""
    desk.put_at("in/a.csv", b"1\n")
    desk.put_at("model.tar.gz", packed({"code/inference.py": HANDLER}))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": desk.engine.storage,
        "AWS_ENDPOINT_URL_SAGEMAKER": desk.engine.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    command = [PYTHON, PROGRAM, desk.bucket, f"s3://{desk.bucket}/model.tar.gz", folder / "result", *works]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result").read_text()), done.stdout


def test_transform_waits_and_prints_the_logs(desk: Desk, tmp_path: Path) -> None:
    results, printed = at_work(desk, tmp_path, "transform_and_tail_logs")

    result = results["transform_and_tail_logs"]
    assert desk.get("sdk/a.csv.out") == b"hello 1\n"
    assert result["attached"] == result["model"]
    assert result["output"] == f"s3://{desk.bucket}/sdk"
    assert "the model is hello" in printed
    assert "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD" in printed


def test_pipelines_failures_and_stops(desk: Desk, tmp_path: Path) -> None:
    results, _ = at_work(desk, tmp_path, "pipeline", "failure", "stop")

    assert desk.get("pipeline/a.csv.out") == b"two one 1\n"
    assert results["failure"]["error"] == "UnexpectedStatusException"
    assert "AlgorithmError: See job logs for more information" in results["failure"]["text"]
    assert results["stop"] == {"status": "Stopped"}


def test_a_registered_model_is_approved_and_used(desk: Desk, tmp_path: Path) -> None:
    results, _ = at_work(desk, tmp_path, "package")

    package = desk.client.describe_model_package(ModelPackageName=results["package"]["arn"])
    assert (package["ModelPackageGroupName"], package["ModelApprovalStatus"]) == (f"group-{desk.bucket}", "Approved")
    assert desk.get("package/a.csv.out") == b"packaged 1\n"
