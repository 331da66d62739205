"""The commands about transform jobs: their arguments. What they do is in modules of their own."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer

from airflow_batchtx.cli.arguments import Aws, Command, Control, Place, Prepared, grouped, seconds, since
from airflow_batchtx.cli.exits import ERROR, OF_STATUS
from airflow_batchtx.spec.enums import JobStatus

File = Annotated[str, typer.Argument(help="A CreateTransformJob request as JSON; `-` reads standard input.")]
JobName = Annotated[str, typer.Argument(help="Name of the transform job.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@grouped
def run(  # noqa: PLR0913, PLR0917 options are arguments to typer
    ctx: typer.Context,
    file: File,
    control: Control,
    place: Place,
    aws: Aws,
    prepared: Prepared = None,
    key: Annotated[str, typer.Option(help="Tells pieces of work of one name apart, such as a day.")] = "",
    logs: Annotated[bool, typer.Option("--logs", help="Show what the containers print.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for the job's end.")] = True,
    stop_on_interrupt: Annotated[
        bool, typer.Option("--stop-on-interrupt", help="Let Ctrl-C stop the job, not only the wait.")
    ] = False,
    poll_interval: Annotated[
        float, typer.Option(parser=seconds, metavar="TIME", help="Longest pause between two looks.")
    ] = 30.0,
    tag_jobs: Annotated[
        bool, typer.Option(help="Tag the job with its name and key, for which it takes sagemaker:AddTags.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings and the result only.")] = False,
    as_json: Json = False,
) -> None:
    """Run one job for one piece of work, wait for its end, prove its output and print the result.

    The work goes by the request's TransformJobName (or the file's name) and `--key`: the same command again adopts the
    job while it runs, takes its outputs if nothing has changed, and after a failure sends only what has no output.

    Example, from cron: `batchtx run churn.json --key $(date +%F) --max-cost 5 --quiet`
    """
    from rich.console import Console

    from airflow_batchtx.cli import documents, running, showing
    from airflow_batchtx.cli.screen import Screen
    from airflow_batchtx.control.prices import price_table
    from airflow_batchtx.errors import EmptyInput
    from airflow_batchtx.spec.policy import OnEmpty, Policy

    console = Console(stderr=True)
    request, policy = documents.request_of(file, prepared), Policy.read(control.options)
    connection = ctx.obj(aws)
    manner = running.Manner(
        prices=price_table(place.prices), wait=wait, interval=poll_interval, stop_on_interrupt=stop_on_interrupt
    )
    with showing.telling(console, logging.WARNING if quiet else logging.INFO):
        try:
            work = running.assignment_of(
                connection.services,
                request,
                name=running.name_of(file, request),
                key=key,
                policy=policy,
                control_prefix=place.control_prefix,
                tagged=tag_jobs,
            )
            result = running.Run(work, connection, Screen(console, quiet=quiet, logs=logs), manner).result()
        except EmptyInput as empty:
            if policy.on_empty is OnEmpty.FAIL:
                raise
            typer.secho(str(empty), err=True, fg="yellow")
            _shown(None, {}, as_json=as_json)
            return
    _shown(result.to_dict(), showing.result_rows(result), as_json=as_json)


@grouped
def check(  # noqa: PLR0913, PLR0917 options are arguments to typer
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="A request as JSON (`-` reads standard input), or a DAG file.")],
    control: Control,
    place: Place,
    aws: Aws,
    prepared: Prepared = None,
    dag_id: Annotated[str | None, typer.Option(help="Only this DAG of the file.")] = None,
    task_id: Annotated[str | None, typer.Option(help="Only this task, with or without the id of its group.")] = None,
    online: Annotated[
        bool | None,
        typer.Option("--online/--offline", help="Ask AWS too.", show_default="if there are credentials and it answers"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell everything that will go wrong with jobs, before there are any; without any effect.

    Of a DAG file every BatchTransformOperator is looked at, mapped ones and those of scoring groups too; templates stay
    open. Takes the options of `run`, so that one word checks a command line. Ends with 1 if there is any problem,
    and with 0 if there are only doubts.

    Example: `batchtx check dags/churn.py --task-id score`
    """
    from airflow_batchtx.cli import checks, dags, documents, showing
    from airflow_batchtx.control.checking import Subject

    if file.endswith(".py"):
        contents = dags.read(Path(file), dag_id=dag_id, task_id=task_id)
    else:
        subject = Subject(
            request=documents.request_of(file, prepared),
            options=control.options,
            control_prefix=place.control_prefix,
            prices=place.prices,
        )
        contents = dags.Contents(file, [dags.Named(file, subject)])
    with showing.telling(_console(), logging.ERROR):
        report = checks.check(contents, lambda: ctx.obj(aws), ask=online)
    if as_json:
        showing.as_json(report.to_dict())
    else:
        checks.show(report)
    if report.wrong:
        raise typer.Exit(ERROR)


@grouped
def list_(
    ctx: typer.Context,
    aws: Aws,
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs of this status.")] = None,
    name_contains: Annotated[str | None, typer.Option(help="Only jobs whose name contains this.")] = None,
    since_: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only jobs created since: `2h`, `7d`, `2026-11-30`.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The most jobs to show.")] = 100,
    as_json: Json = False,
) -> None:
    """List transform jobs, newest first.

    Example: `batchtx list --status Failed --since 7d`
    """
    from airflow_batchtx.cli import listing, showing

    services = ctx.obj(aws).services
    now = datetime.fromtimestamp(services.clock(), timezone.utc)
    jobs = listing.found(
        services.jobs,
        limit=limit,
        created_after=since(since_, now) if since_ else None,
        status=status.value if status else None,
        name_contains=name_contains,
    )
    if as_json:
        showing.as_json([listing.told(job, now) for job in jobs])
    else:
        listing.show(jobs, now)


@grouped
def status(
    ctx: typer.Context,
    job_name: JobName,
    place: Place,
    aws: Aws,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 3 if the job failed, 4 if it was stopped, 5 while it runs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a job: its status and times, the objects that are done, its cost, and why it failed.

    Example: `batchtx status churn-0a1b2c3d4e5f --exit-code`
    """
    from airflow_batchtx.cli import showing
    from airflow_batchtx.control.prices import price_table
    from airflow_batchtx.control.standing import standing

    services, prices = ctx.obj(aws).services, price_table(place.prices)
    with showing.telling(_console()):
        found = standing(services, job_name, control_prefix=place.control_prefix, prices=prices)
    why = str(found.error) if found.error else None
    machine = {**found.result.to_dict(), "error": why, "note": found.note or None}
    people = {**showing.result_rows(found.result, services.clock()), "Why": why, "Note": found.note}
    _shown(machine, people, as_json=as_json)
    if exit_code:
        raise typer.Exit(OF_STATUS[found.result.status])


@grouped
def logs(
    ctx: typer.Context,
    job_name: JobName,
    aws: Aws,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    data: Annotated[bool, typer.Option("--data", help="Only what SageMaker says of the input objects.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one line an object, for machines.")] = False,
) -> None:
    """Print the lines of a job's logs, of all instances, in the order of their times.

    Example: `batchtx logs churn-0a1b2c3d4e5f --follow`
    """
    from airflow_batchtx.cli import reading, showing

    with showing.telling(_console()):
        count = 0
        for line in reading.lines(ctx.obj(aws).services, job_name, follow=follow, data=data):
            typer.echo(reading.as_json(line) if as_json else reading.as_text(line))
            count += 1
    if not count:
        typer.secho(f"Job {job_name} has no such log lines, or not yet.", err=True, fg="yellow")


@grouped
def stop(
    ctx: typer.Context,
    job_name: JobName,
    aws: Aws,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Stop a job; one that has ended is left as it is. The outputs that it has written stay.

    Example: `batchtx stop churn-0a1b2c3d4e5f --wait`
    """
    from airflow_batchtx.cli import showing
    from airflow_batchtx.control import limits
    from airflow_batchtx.control.ending import Ending
    from airflow_batchtx.control.prices import shipped
    from airflow_batchtx.spec.policy import Policy

    services = ctx.obj(aws).services
    with showing.telling(_console(), logging.INFO):
        limits.stop(services, job_name)
        described = limits.outwait(services, job_name) if wait else services.jobs.describe(job_name)
    result = Ending(services=services, policy=Policy(), prices=shipped()).result(described, None)
    _shown(result.to_dict(), showing.result_rows(result), as_json=as_json)


# Under these names, in the order of the help.
COMMANDS: dict[str, Command] = {
    "run": run,
    "check": check,
    "list": list_,
    "status": status,
    "logs": logs,
    "stop": stop,
}


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _shown(machine: Any, people: dict[str, Any], *, as_json: bool) -> None:
    from airflow_batchtx.cli import showing

    if as_json:
        showing.as_json(machine)
    else:
        showing.fields(people)
