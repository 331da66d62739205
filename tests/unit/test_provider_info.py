"""What Airflow discovers."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import airflow
import jsonschema
import pytest

import airflow_batchtx
from airflow_batchtx.provider_info import get_provider_info

tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")

ROOT = Path(__file__).parents[2]
KINDS = ("hooks", "operators", "sensors", "triggers", "task-groups")


def project() -> dict[str, object]:
    described: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return described


def test_airflows_own_schema_takes_it() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema)


def test_it_names_the_distribution_and_its_one_version() -> None:
    info = get_provider_info()

    assert info["package-name"] == project()["name"]
    assert info["versions"] == [airflow_batchtx.__version__]


def test_the_entry_point_is_this_function() -> None:
    (path,) = project()["entry-points"]["apache_airflow_provider"].values()  # type: ignore[index]
    module, _, name = path.partition(":")

    assert getattr(importlib.import_module(module), name) is get_provider_info


@pytest.mark.parametrize("kind", KINDS)
def test_every_module_it_names_is_there(kind: str) -> None:
    modules = [name for entry in get_provider_info()[kind] for name in entry["python-modules"]]

    assert modules
    for name in modules:
        importlib.import_module(name)


def test_no_module_of_tasks_is_left_out() -> None:
    named = {name for kind in KINDS for entry in get_provider_info()[kind] for name in entry["python-modules"]}
    package = Path(airflow_batchtx.__file__).parent
    there = {
        f"airflow_batchtx.{room}.{module.stem}"
        for room in ("operators", "sensors", "triggers")
        for module in (package / room).glob("*.py")
        if module.stem != "__init__"
    }

    assert there <= named
