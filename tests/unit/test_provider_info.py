"""What Airflow discovers."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import airflow
import jsonschema
import pytest
from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger

import airflow_batchtx
from airflow_batchtx.control.prices import price_table, shipped
from airflow_batchtx.control.waiting import POLL_INTERVAL
from airflow_batchtx.links.batch_transform import LINKS
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
    modules = [
        importlib.import_module(f"airflow_batchtx.{room}.{module.stem}")
        for room in ("operators", "sensors", "triggers")
        for module in (package / room).glob("*.py")
    ]
    kinds = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, BaseOperator | BaseTrigger)
        and kind.__module__ == module.__name__
    }

    # What only others are derived from is nothing for a DAG to use.
    assert {kind.__module__ for kind in kinds if not set(kind.__subclasses__()) & kinds} <= named


def test_airflow_is_told_of_every_link() -> None:
    told = get_provider_info()["extra-links"]

    assert told == [f"{type(link).__module__}.{type(link).__name__}" for link in LINKS]


@pytest.mark.parametrize("name", get_provider_info()["config"]["batchtx"]["options"])
def test_the_default_and_the_example_of_an_option_are_of_its_type(name: str) -> None:
    option = get_provider_info()["config"]["batchtx"]["options"][name]
    read = {"string": str, "float": float}[option["type"]]

    assert read(option["default"]) != read(option["example"])
    assert option["description"].endswith(".\n")


def test_options_have_the_defaults_that_tasks_have() -> None:
    options = get_provider_info()["config"]["batchtx"]["options"]

    assert float(options["poll_interval"]["default"]) == POLL_INTERVAL
    assert price_table(options["prices"]["default"]) == shipped()
