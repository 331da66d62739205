"""DAG files: every transform task in them, as Airflow reads it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_batchtx.cli import dags
from airflow_batchtx.errors import InvalidInput
from tests.fake_batch import World
from tests.unit.cli.shell import batchtx

ROOT = Path(__file__).parents[3]
HEAD = """
from airflow.sdk import DAG, task
from airflow_batchtx import TransformJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.task_groups import scoring

def job(**members):
    return TransformJob(**{
        "model_name": "churn", "input": "s3://b/in/", "output": "s3://b/out/", "instance_type": "ml.m5.large", **members
    })
"""

MANY = """
with DAG("many"):
    BatchTransformOperator(task_id="static", job=job(), max_runtime=60, include=["a*"], control_prefix="s3://b/kept/",
        prices="mine.json")
    BatchTransformOperator(task_id="open", job=job(input="s3://b/{{ ds }}/", model_name="{{ params.model }}"))
    BatchTransformOperator(task_id="later", job="{{ params.job }}")
    BatchTransformOperator(
        task_id="own", job=job(), model={"role": "arn:aws:iam::123456789012:role/r", "package_group": "none"}
    )
    BatchTransformOperator.partial(task_id="literal").expand(job=[job().to_request(), job(output="s3://b/x/").to_request()])
    BatchTransformOperator.partial(task_id="kwargs", verify="none").expand_kwargs(
        [{"job": {**job().to_request(), "BatchStrategy": "Both"}}]
    )

    @task
    def jobs():
        return []

    BatchTransformOperator.partial(task_id="unknown").expand(job=jobs())
    BatchTransformOperator.partial(task_id="axes", job=job()).expand(max_runtime=[10, "soon"])
    scoring(source="s3://b/raw/", job=job(input="s3://b/staging/", output="s3://b/answers/"), output="s3://b/scored/")

with DAG("other"):
    BatchTransformOperator(task_id="static", job=job())
"""

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (file := tmp_path_factory.mktemp("dags") / "many.py").write_text(HEAD + MANY)
    return file


def test_every_transform_task_of_every_dag(many: Path) -> None:
    found = {one.name: one.subject for one in dags.read(many).jobs}

    assert set(found) == {
        "many.static", "many.open", "many.later", "many.own", "many.literal[0]", "many.literal[1]", "many.kwargs[0]",
        "many.unknown[0]", "many.axes[0]", "many.axes[1]", "many.scoring.transform", "other.static",
    }  # fmt: skip
    static, own = found["many.static"], found["many.own"]
    assert static is not None
    assert (static.options["max_runtime"], static.options["include"]) == (60, ["a*"])
    assert (static.control_prefix, static.prices) == ("s3://b/kept/", "mine.json")
    assert static.request["ModelName"] == "churn"
    assert own is not None
    assert own.model == {"role": "arn:aws:iam::123456789012:role/r", "package_group": "none"}
    assert found["many.later"] is found["many.unknown[0]"] is None


def test_what_is_wrong_in_each(many: Path) -> None:
    ran = batchtx(World(), "check", str(many), "--offline", "--json")

    report = json.loads(ran.stdout)
    wrong = {one["name"]: [problem["field"] for problem in one["problems"]] for one in report["jobs"]}
    assert ran.exit_code == 1
    assert {name: fields for name, fields in wrong.items() if fields} == {
        "many.kwargs[0]": ["batch_strategy (BatchStrategy)"],
        "many.axes[1]": ["max_runtime"],
        "many.static": ["prices"],
    }


def test_one_task(many: Path) -> None:
    assert [one.name for one in dags.read(many, task_id="transform").jobs] == ["many.scoring.transform"]
    assert [one.name for one in dags.read(many, dag_id="other").jobs] == ["other.static"]
    with pytest.raises(InvalidInput, match="of these ids"):
        dags.read(many, dag_id="other", task_id="transform")


BROKEN: dict[str, tuple[str, str, str]] = {
    "a job that no DAG may have": (
        'with DAG("a"): BatchTransformOperator(task_id="t", job=job(instance_count=0))', "instance_count", "at least 1"
    ),
    "a file that does not compile": ("with DAG(", "DAG file", "SyntaxError"),
    "a file that raises": ("print('noise'); raise RuntimeError('boom')", "DAG file", "RuntimeError: boom"),
    "a file that exits": ("import sys; sys.exit(3)", "DAG file", "SystemExit: 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_airflow_cannot_read(name: str, tmp_path: Path) -> None:
    text, field, rule = BROKEN[name]
    (file := tmp_path / "broken.py").write_text(HEAD + text)

    ran = batchtx(World(), "check", str(file), "--json")

    assert ran.exit_code == 1, ran.exception
    [problem] = json.loads(ran.stdout)["problems"]
    assert field in problem["field"]
    assert rule in problem["rule"]


def test_no_such_file_and_no_such_task(tmp_path: Path) -> None:
    (file := tmp_path / "empty.py").write_text("from airflow.sdk import DAG\nDAG('empty')")

    with pytest.raises(InvalidInput, match="does not exist"):
        dags.read(tmp_path / "none.py")
    with pytest.raises(InvalidInput, match="no BatchTransformOperator"):
        dags.read(file)


def test_without_airflow_it_says_so(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    for name in [name for name in sys.modules if name.partition(".")[0] == "airflow"]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(InvalidInput, match="pip install apache-airflow"):
        dags.read(many)


def test_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    example: Any = [one.name for one in dags.read(ROOT / "dags" / "late_payments.py").jobs]

    assert example == ["late_payments.transform"]
