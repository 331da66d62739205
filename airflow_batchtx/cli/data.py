"""The commands about tables: their arguments. What they do is in modules of their own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from airflow_batchtx.association import request as association
from airflow_batchtx.cli import wording
from airflow_batchtx.cli.arguments import Aws, Command, Place, Prepared, grouped, seconds
from airflow_batchtx.cli.optioned import Table
from airflow_batchtx.preparation import request as preparation

# A query is Airflow's to run, by its connections.
_AIRFLOWS = frozenset({"sql", "sql_conn_id"})
PREPARING = Table(
    request=preparation.PrepareRequest,
    options=preparation.OPTIONS,
    words=wording.PREPARING,
    argument="source",
    needed=frozenset({"source", "output"}),
    left_out=_AIRFLOWS,
)
ASSOCIATING = Table(
    request=association.AssociateRequest,
    options=association.OPTIONS,
    words=wording.ASSOCIATING,
    needed=frozenset({"output"}),
    left_out=frozenset({"result"}),
)


@dataclass(frozen=True, slots=True)
class Job:
    """What a job is to be, over what its request says."""

    model_name: Annotated[str | None, wording.job("The model; its former jobs tell how fast it is.")] = None
    instance_type: Annotated[str | None, wording.job("Such as ml.m5.xlarge; it decides rate and price.")] = None
    instance_count: Annotated[int | None, wording.job("How many instances, instead of as many as are proposed.")] = None
    max_payload_in_mb: Annotated[int | None, wording.job("The largest request, in MB.")] = None
    max_concurrent_transforms: Annotated[int | None, wording.job("Requests at once on an instance.")] = None


# What a table is sampled by: all that decides which bytes the model is sent, and how they are cut.
SAMPLING = Table(
    request=preparation.PrepareRequest,
    options=preparation.OPTIONS,
    words=wording.PREPARING,
    left_out=_AIRFLOWS | {"output"} | {one.name for one in fields(Job)},
    panel="A table that is to be prepared",
)
Asked = dict[str, Any]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings and the result only.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@grouped
def prepare(
    ctx: typer.Context,
    asked: Annotated[Asked, PREPARING],
    aws: Aws,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Cut tables into shards that a model can be sent, and keep other columns of the same rows aside.

    What it prints with `--json` is what a job takes in the place of its input: content type, split type and columns go
    along (`batchtx run churn.json --prepared prepared.json`). The same command again writes the same bytes.

    Example: `batchtx prepare s3://lake/customers/day=2026-11-30/ --keep customer_id --output s3://staging/churn/in/`
    """
    from airflow_batchtx.cli import preparing, showing

    console = _console()
    with showing.telling(console, logging.WARNING if quiet else logging.INFO):
        prepared = preparing.prepared(ctx.obj(aws).services.store, asked, console, quiet=quiet)
    _shown(prepared.to_dict(), preparing.rows_of(prepared), as_json=as_json)


@grouped
def associate(
    ctx: typer.Context,
    asked: Annotated[Asked, ASSOCIATING],
    aws: Aws,
    place: Place,
    result: Annotated[
        str | None,
        typer.Argument(
            help="What `batchtx run --json` printed, or a transform task returned; `-` reads standard input.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page about the table too: counts, predictions, time line; such as report.html.",
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put every prediction beside its own row, prove that none is missing, and write one table.

    The answers are those of a RESULT, of a job by `--job-name`, or what lies below `--input` and `--answers`.
    The same command again writes the same bytes, and takes away what an earlier run left there.

    Example: `batchtx run churn.json --json | batchtx associate - --output s3://lake/scored/ --report report.html`
    """
    from airflow_batchtx.cli import associating, documents, showing

    if report is not None and not report.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {report.absolute().parent}", param_hint="--report")
    if report is not None and "share" in asked:
        raise typer.BadParameter("is about a whole table, not a share of it", param_hint="--report")
    if report is not None and "table_per" in asked:
        raise typer.BadParameter("is about one table, not about one for each folder", param_hint="--report")
    console, connection = _console(), ctx.obj(aws)
    given = {} if result is None else {"result": documents.result_of(result)}
    with showing.telling(console, logging.WARNING if quiet else logging.INFO):
        options = associating.resolved(connection.services, {**asked, **given}, place)
        work = associating.Work(connection, options, console, quiet=quiet)
        table = work.table()
        if report is not None:
            work.report(table, report)
    _shown(table.to_dict(), associating.rows_of(table, report), as_json=as_json)


@grouped
def plan(  # noqa: PLR0913, PLR0917 options are arguments to typer
    ctx: typer.Context,
    job: Job,
    asked: Annotated[Asked, SAMPLING],
    place: Place,
    aws: Aws,
    file: Annotated[
        str | None,
        typer.Argument(help="A CreateTransformJob request as JSON; `-` reads standard input.", show_default=False),
    ] = None,
    prepared: Prepared = None,
    within: Annotated[
        float | None,
        typer.Option(parser=seconds, metavar="TIME", help="How long the transform may take: `30m`, `2h`."),
    ] = None,
    mb_per_second: Annotated[
        float | None,
        typer.Option(min=0.0, help="What one instance transforms in a second, in MB of input, if you know it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Propose instances, payload, concurrency and shards for an input, and tell time and cost; each with its reason.

    The input is that of the request, or a table by `--source`, of which some rows are read. Time and cost follow from
    the model's newest job that Completed on the same instance type, or from `--mb-per-second`; without either they are
    said to be unknown. Nothing is written.

    Example: `batchtx plan churn.json --source s3://lake/customers/ --keep customer_id --within 1h`
    """
    from airflow_batchtx.cli import documents, planning, showing

    request = documents.request_of(file, prepared) if file else {}
    if not request and "source" not in asked:
        raise typer.BadParameter("is needed, or a table by --source", param_hint="FILE")
    with showing.telling(_console()):
        thought = planning.Thought(
            services=ctx.obj(aws).services,
            request=planning.completed(request, job),
            table=asked,
            within=within,
            mb_per_second=mb_per_second,
            control_prefix=place.control_prefix,
            prices=place.prices,
        )
        found = thought.proposal()
    if as_json:
        showing.as_json(planning.machine(found))
    else:
        planning.show(found)


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _shown(machine: Any, people: dict[str, Any], *, as_json: bool) -> None:
    from airflow_batchtx.cli import showing

    if as_json:
        showing.as_json(machine)
    else:
        showing.fields(people)


COMMANDS: Mapping[str, Command] = {"prepare": prepare, "associate": associate, "plan": plan}
