"""What an import brings along: DAG files are parsed often, and command lines are started often."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACE = (
    "airflow_batchtx.hooks.batch_transform",
    "airflow_batchtx.operators.batch_transform",
    "airflow_batchtx.operators.data",
    "airflow_batchtx.operators.events",
    "airflow_batchtx.sensors.batch_transform",
    "airflow_batchtx.triggers.batch_transform",
    "airflow_batchtx.triggers.queues",
    "airflow_batchtx.task_groups",
)
DATA_LIBRARIES = {"numpy", "pandas", "polars", "pyarrow", "sklearn"}
SERVERS = {"moto", "starlette", "uvicorn", "typer", "rich"}
OURS = {"airflow_batchtx.engine", "airflow_batchtx.modelserver"}


def imported_with(modules: str, home: Path) -> set[str]:
    """Every module that a fresh interpreter has loaded after importing some."""
    code = f"import json, sys, {modules}; print(); print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AIRFLOW_HOME": str(home)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_the_package_imports_no_airflow(tmp_path: Path) -> None:
    loaded = imported_with("airflow_batchtx", tmp_path)

    assert "airflow_batchtx.spec.job" in loaded
    assert loaded & ({"airflow", "boto3", "botocore"} | DATA_LIBRARIES | SERVERS | OURS) == set()


def test_provider_info_imports_no_airflow(tmp_path: Path) -> None:
    assert "airflow" not in imported_with("airflow_batchtx.provider_info", tmp_path)


@pytest.mark.airflow
def test_a_triggerer_imports_no_client_with_a_trigger(tmp_path: Path) -> None:
    # It imports triggers on its event loop, which all other triggers wait for meanwhile.
    theirs = imported_with("airflow.sdk, airflow.triggers.base", tmp_path)

    ours = "airflow_batchtx.triggers.batch_transform, airflow_batchtx.triggers.queues"
    loaded = imported_with(f"airflow.sdk, airflow.triggers.base, {ours}", tmp_path)

    assert not {name for name in loaded - theirs if name.startswith(("boto3", "botocore.client", "airflow.providers"))}


@pytest.mark.airflow
def test_the_face_imports_neither_the_engine_nor_a_data_library(tmp_path: Path) -> None:
    # boto3 comes with the amazon provider's base hook; what else Airflow itself brings is not ours to judge.
    theirs = imported_with("airflow.sdk, airflow.triggers.base, airflow.providers.amazon.aws.hooks.base_aws", tmp_path)

    loaded = imported_with(", ".join(FACE), tmp_path)

    assert set(FACE) <= loaded
    assert loaded & OURS == set()
    assert loaded & (DATA_LIBRARIES | SERVERS) - theirs == set()
    assert theirs & DATA_LIBRARIES == set(), "Airflow itself loads data libraries now: say so in docs/"


@pytest.mark.airflow
def test_airflows_parts_import_next_to_nothing_with_the_plugin(tmp_path: Path) -> None:
    # Each of them loads all plugins; only the API server serves pages.
    theirs = imported_with("airflow.sdk.plugins_manager", tmp_path)

    loaded = imported_with("airflow.sdk.plugins_manager, airflow_batchtx.plugin.entry", tmp_path)

    assert {name for name in loaded - theirs if name.startswith("airflow_batchtx.")} <= {
        *imported_with("airflow_batchtx", tmp_path), "airflow_batchtx.plugin", "airflow_batchtx.plugin.entry",
    }  # fmt: skip
    assert not {name for name in loaded - theirs if name.startswith(("fastapi", "sqlalchemy", "boto", "airflow."))}
