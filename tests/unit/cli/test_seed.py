"""`batchtx seed`, as far as it goes without anybody to seed."""

from __future__ import annotations

import io
import tarfile

import pytest
from click.testing import Result
from typer.testing import CliRunner

from airflow_batchtx.cli.demo.cases import CASES, load
from airflow_batchtx.cli.demo.cases.packing import packed
from airflow_batchtx.cli.main import app
from airflow_batchtx.errors import InvalidInput
from tests.unit.cli.test_imports import imported_with

AWS = {
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nobody",
    "AWS_ENDPOINT_URL": None, "AWS_ENDPOINT_URL_SAGEMAKER": None, "AWS_ENDPOINT_URL_S3": None,
    "AIRFLOW_VAR_BATCHTX_BUCKET": None, "COLUMNS": "300",
}  # fmt: skip


def seeded(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["seed", *arguments], env=AWS)


def refused(*arguments: str) -> set[str]:
    ran = seeded(*arguments)
    assert isinstance(ran.exception, InvalidInput), ran
    return {problem.field for problem in ran.exception.problems}


def test_on_aws_nothing_is_guessed() -> None:
    assert refused("late-payments") == {"bucket"}
    assert refused("late-payments", "--bucket", "b") == {"role", "image"}
    assert refused("late-payments", "--bucket", "b", "--role", "r") == {"image"}
    assert refused("late-payments", "--endpoint-url", "http://127.0.0.1:1") == {"bucket"}


def test_a_case_that_there_is_not_is_told_before_anything_is_done() -> None:
    assert refused("late-payments", "nobodys", "--bucket", "b", "--role", "r", "--image", "i") == {"name"}


def test_the_list_tells_every_case_with_its_source() -> None:
    ran = seeded("--list")

    assert ran.exit_code == 0
    for name in CASES:
        assert (case := load(name)).name == name
        assert f"{name} " in ran.output
        assert case.source in " ".join(ran.output.split())


@pytest.mark.parametrize("heavy", ["pandas", "sklearn", "numpy", "airflow"])
def test_the_list_costs_no_library_of_data(heavy: str) -> None:
    assert heavy not in imported_with(*CASES.values())


def test_a_model_is_packed_alike_whenever_it_is_packed() -> None:
    archive = packed("linear", {"model.npz": b"numbers"})

    assert archive[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # gzip's header, with no time in it
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert [(one.name, one.mtime) for one in tar] == [("model.npz", 0), ("code/inference.py", 0)]
        code = tar.extractfile("code/inference.py")
        assert code is not None
        assert b"def predict_fn" in code.read()
