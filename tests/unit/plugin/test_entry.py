"""Airflow finds the plugin by its entry point, and takes it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow._shared.plugins_manager import is_valid_plugin
from airflow.api_fastapi.core_api.datamodels.plugins import ReactAppResponse

from airflow_batchtx.plugin.entry import BatchtxPlugin, Served

tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]


def test_the_entry_point_leads_to_a_plugin_that_airflow_takes() -> None:
    module, _, name = PROJECT["entry-points"]["airflow.plugins"]["batchtx"].partition(":")

    assert getattr(importlib.import_module(module), name) is BatchtxPlugin
    assert is_valid_plugin(BatchtxPlugin)


def test_airflow_knows_where_its_views_belong() -> None:
    views = [ReactAppResponse.model_validate(view) for view in BatchtxPlugin.react_apps]

    assert [view.destination for view in views] == ["nav", "task_instance"]
    # An address with a slash in front would leave the path that Airflow is served under.
    assert not [view for view in views if view.bundle_url.startswith("/")]


def test_there_is_one_server() -> None:
    (first,), (second,) = BatchtxPlugin.fastapi_apps, BatchtxPlugin.fastapi_apps

    assert first["app"] is second["app"]
    assert first["url_prefix"] == "/batchtx"


def test_airflow_starts_without_a_server_that_cannot_be_made(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise ImportError("cannot import name 'GetUserDep'")

    assert Served(broken).__get__(None, BatchtxPlugin) == []
    assert "GetUserDep" in caplog.text
