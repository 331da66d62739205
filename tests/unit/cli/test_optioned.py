"""A request's own options as options of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from airflow_batchtx.cli import wording
from airflow_batchtx.cli.arguments import grouped
from airflow_batchtx.cli.data import ASSOCIATING, COMMANDS, PREPARING, SAMPLING
from airflow_batchtx.cli.main import app
from airflow_batchtx.cli.optioned import Table, Words
from airflow_batchtx.spec.options import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    source: tuple[str, ...]
    columns: tuple[str, ...] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    header: bool = True
    shard_bytes: int | None = None
    name: str = "part"


def rule(remedy: str) -> Option:
    return Option(lambda value: value, remedy)


OPTIONS = {name: rule(f"Give {name}.") for name in (*Request.__dataclass_fields__, "unheard_of", "secret")}
TABLE = Table(
    request=Request,
    options=OPTIONS,
    words={"name": Words(help="What it is called: `part`.", metavar="WORD")},
    argument="source",
    needed=frozenset({"source"}),
    left_out=frozenset({"secret"}),
)


def given(*arguments: str) -> Any:
    shown = list[dict[str, Any]]()

    @grouped
    def command(asked: Annotated[dict[str, Any], TABLE], other: int = 1) -> None:
        shown.append(asked)

    one = typer.Typer()
    one.command()(command)
    ran = CliRunner().invoke(one, list(arguments), env={"COLUMNS": "200"})
    return shown[0] if shown else ran


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a"], {"source": "a"}),
        (["a", "b"], {"source": ["a", "b"]}),
        (["a", "--columns", "x,y"], {"source": "a", "columns": "x,y"}),
        (["a", "--columns", "x", "--columns", "y"], {"source": "a", "columns": ["x", "y"]}),
        (["a", "--types", "x=int64", "--types", "y=decimal128(3, 1)"],
         {"source": "a", "types": {"x": "int64", "y": "decimal128(3, 1)"}}),
        (["a", "--types", "x=a=b"], {"source": "a", "types": {"x": "a=b"}}),
        (["a", "--types", '{"x": null}'], {"source": "a", "types": {"x": None}}),
        (["a", "--types", "x", "--types", "y"], {"source": "a", "types": ["x", "y"]}),
        (["a", "--types", "x", "--types", "y=int64"], {"source": "a", "types": {"x": None, "y": "int64"}}),
        (["a", "--no-header"], {"source": "a", "header": False}),
        (["a", "--header"], {"source": "a", "header": True}),
        (["a", "--shard-bytes", "77"], {"source": "a", "shard_bytes": "77"}),
        (["a", "--shard-bytes", "2 MiB"], {"source": "a", "shard_bytes": 2 * 1024**2}),
        (["a", "--shard-bytes", "3kb"], {"source": "a", "shard_bytes": 3 * 1024}),
        (["a", "--unheard-of", "5"], {"source": "a", "unheard_of": "5"}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_given_is_what_a_task_would_be_given(arguments: list[str], expected: dict[str, Any]) -> None:
    assert given(*arguments) == expected


@pytest.mark.parametrize("arguments", [[], ["a", "--secret", "x"], ["a", "--types", "{"]])
def test_wrong_command_lines(arguments: list[str]) -> None:
    assert given(*arguments).exit_code == 2


def test_help_tells_defaults_and_falls_back_on_remedies() -> None:
    shown = " ".join(given("--help").output.split())

    assert "What it is called: `part`." in shown
    assert "default: (part)" in shown
    assert "Give unheard_of." in shown


@pytest.mark.parametrize(("table", "words"), [(PREPARING, wording.PREPARING), (ASSOCIATING, wording.ASSOCIATING)])
def test_there_are_words_for_every_option_and_for_no_other(table: Table, words: Mapping[str, Words]) -> None:
    assert words.keys() == set(table.names)


def test_a_plan_takes_whatever_decides_how_a_table_is_cut() -> None:
    members = {"instance_count", "max_payload_in_mb", "max_concurrent_transforms"}

    assert set(SAMPLING.names) == set(PREPARING.names) - {"output"} - members


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_by_an_example(name: str) -> None:
    ran = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})

    assert ran.exit_code == 0
    assert f"batchtx {name}" in ran.output.partition("Example")[2]
    assert "--json" in ran.output
    assert "--endpoint-url" in ran.output
