"""A shell in which `batchtx` reaches a world in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from click.testing import Result
from typer.testing import CliRunner

from airflow_batchtx.cli.arguments import Aws
from airflow_batchtx.cli.connection import Connection
from airflow_batchtx.cli.main import app
from tests.fake_batch import World
from tests.fake_sagemaker import REQUEST


def connection(world: World, *, signed: bool = True, **services: Any) -> Callable[[Aws], Connection]:
    """Reach a world, with some of its services replaced."""
    client: Any = world.batch
    made = Connection(services=replace(world.services, **services), client=client, signed=signed, chance=lambda: 0.5)
    return lambda _: made


def batchtx(world: World, *arguments: str, sent: str | None = None, signed: bool = True, **services: Any) -> Result:
    """Run a command."""
    reach = connection(world, signed=signed, **services)
    return CliRunner().invoke(app, list(arguments), obj=reach, input=sent, env={"COLUMNS": "200"})


def written(folder: Path, request: Any = REQUEST, name: str = "churn.json") -> str:
    """Write a request to a file."""
    (file := folder / name).write_text(json.dumps(request))
    return str(file)
