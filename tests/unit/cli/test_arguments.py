"""Options in groups, times, exit codes and help."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from airflow_batchtx.cli.arguments import Aws, Control, grouped, seconds, since
from airflow_batchtx.cli.connection import connected
from airflow_batchtx.cli.exits import OF_STATUS
from airflow_batchtx.cli.jobs import COMMANDS
from airflow_batchtx.cli.main import app
from airflow_batchtx.errors import InvalidInput
from airflow_batchtx.spec import policy
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.policy import Policy

NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)


def test_the_command_line_has_every_option_of_job_control() -> None:
    assert Control().options.keys() == policy.OPTIONS.keys()
    assert Policy.read(Control().options) == Policy()


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("7d", 604_800), (" 3 h ", 10_800)]
)
def test_spans(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "soon", "-3m", "3 weeks"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("2026-11-29", NOW - timedelta(hours=36)),
        ("2026-11-30T12:00:00+01:00", NOW - timedelta(hours=1)),
        ("2026-11-30T12:00:00Z", NOW),
    ],
)
def test_moments(text: str, expected: datetime) -> None:
    assert since(text, NOW) == expected


@dataclass(frozen=True)
class Pair:
    left: Annotated[int, typer.Option("--left")] = 1
    right: Annotated[int, typer.Option("--right")] = 2


def test_a_group_stands_for_its_options() -> None:
    command = grouped(lambda_command)
    app = typer.Typer()
    app.command()(command)

    ran = CliRunner().invoke(app, ["x", "--right", "5"])

    assert list(inspect.signature(command).parameters) == ["name", "left", "right"]
    assert ran.output == "x 1 5\n"


def lambda_command(name: str, pair: Pair) -> None:
    typer.echo(f"{name} {pair.left} {pair.right}")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_by_an_example(name: str) -> None:
    ran = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})

    assert ran.exit_code == 0
    assert f"batchtx {name}" in ran.output.partition("Example")[2]
    assert "--json" in ran.output
    assert "--endpoint-url" in ran.output


def test_exit_codes_are_in_the_help() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output.split())

    assert "Exit codes: 0 done" in shown
    assert OF_STATUS.keys() == set(JobStatus)


def test_what_is_missing_to_reach_aws_is_one_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    with pytest.raises(InvalidInput, match="set AWS_DEFAULT_REGION"):
        connected(Aws())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert connected(Aws()).services.jobs.region == "eu-west-1"
    with pytest.raises(InvalidInput, match="nobody"):
        connected(Aws(profile="nobody"))


def test_options_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    found = connected(Aws(region="eu-west-1", endpoint_url="http://127.0.0.1:1"))

    assert (found.services.jobs.region, found.services.jobs.endpoint) == ("eu-west-1", "http://127.0.0.1:1")
