"""The arguments of `batchtx`. Each command's work is in a module of its own, imported when it is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from airflow_batchtx import __version__
from airflow_batchtx.cli import asl, data, exits, jobs, seed
from airflow_batchtx.cli.arguments import Aws
from airflow_batchtx.errors import BatchTransformError

DEFAULT_PORT = 8900

app = typer.Typer(
    name="batchtx",
    epilog=f"Start with: batchtx demo. {exits.HELP}",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
local = typer.Typer(
    help="The local engine: SageMaker's Batch Transform API on this machine, with an S3 beside it.",
    no_args_is_help=True,
)
app.add_typer(local, name="local")
for name, command in {**jobs.COMMANDS, **data.COMMANDS, **asl.COMMANDS, **seed.COMMANDS}.items():
    app.command(name)(command)

Port = Annotated[int, typer.Option("--port", "-p", help="Port of the engine.", min=1, max=65535)]
Host = Annotated[str, typer.Option(help="Address of the engine.")]


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Amazon SageMaker Batch Transform: jobs on AWS, and on this machine by the same API."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    ctx.obj = ctx.obj or _connected  # tests hand in another way to AWS


@app.command()
def demo(
    keep: Annotated[bool, typer.Option(help="Keep the engine running at the end, until Ctrl-C.")] = False,
    seed: Annotated[
        bool, typer.Option(help="Only upload the data and the model, to where AWS_ENDPOINT_URL points.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder for the scored table.")] = Path(".batchtx/demo"),
) -> None:
    """Train a model on real data and score the rest of it: prepare, transform and associate in Airflow, all local."""
    from airflow_batchtx.cli.demo import story

    if seed:
        story.seed()
    else:
        story.tell(output=output, keep=keep)


@app.command()
def ui(
    port: Annotated[
        int, typer.Option("--port", "-p", help="Port of Airflow's pages; a free one if it is taken.", min=1, max=65535)
    ] = 8080,
    engine_port: Annotated[
        int, typer.Option(help="Port of the engine; a free one if it is taken.", min=1, max=65535)
    ] = DEFAULT_PORT,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of Airflow's database, the jobs and all logs.", show_default="~/.batchtx/ui"),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(help="Seed only this one of `batchtx seed --list`; may be repeated.", show_default="all"),
    ] = None,
) -> None:
    """Airflow's own pages on this machine, until Ctrl-C: the example DAGs, their data and models, and the local engine.

    It prints where they are, and who may log in.
    """
    from airflow_batchtx.cli.demo.cases import CASES
    from airflow_batchtx.cli.ui import command

    home = home or Path.home() / ".batchtx" / "ui"
    command.run(port=port, engine_port=engine_port, home=home.resolve(), cases=case or [*CASES])


@local.command()
def start(  # noqa: PLR0913, PLR0917 options are arguments to typer
    port: Port = DEFAULT_PORT,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to the network.")] = "127.0.0.1",
    home: Annotated[
        Path | None, typer.Option(help="Folder for jobs and their logs.", show_default="~/.batchtx/engine-PORT")
    ] = None,
    s3_endpoint_url: Annotated[
        str | None, typer.Option(help="An S3 that runs already; without it one starts beside the engine.")
    ] = None,
    s3_port: Annotated[
        int | None, typer.Option(help="Port of that S3.", show_default="PORT + 1", min=0, max=65535)
    ] = None,
    docker: Annotated[bool, typer.Option("--docker", help="Run images as they are, with the docker command.")] = False,
    aws_endpoint_url: Annotated[
        str | None, typer.Option(help="Where logs, metrics and events go.", show_default="the S3's")
    ] = None,
    faults: Annotated[
        str | None,
        typer.Option(envvar="BATCHTX_FAULTS", help='What goes wrong with every job, as JSON: `{"fail_every": 3}`'),
    ] = None,
    quota: Annotated[
        list[str] | None,
        typer.Option(envvar="BATCHTX_QUOTAS", help="Instances at once: `ml.m5.large=2`, of all types `all=20`."),
    ] = None,
    throttle: Annotated[
        str | None,
        typer.Option(envvar="BATCHTX_THROTTLE", help="Calls a second of each operation: `5`, or `5:20` with a burst."),
    ] = None,
) -> None:
    """Run the engine and its S3 in the foreground, until Ctrl-C.

    In another shell, `eval "$(batchtx local env)"` points boto3 and Airflow at it.
    """
    from airflow_batchtx.cli import engine

    engine.start(
        port=port,
        host=host,
        home=home,
        s3_port=s3_port,
        endpoints=engine.Endpoints(s3_endpoint_url, aws_endpoint_url),
        docker=docker,
        trouble=engine.Trouble(faults, tuple(quota or ()), throttle),
    )


@local.command()
def env(port: Port = DEFAULT_PORT, host: Host = "127.0.0.1") -> None:
    """Print what a process needs to find the engine; end with 1 while it does not answer.

    Use it so: `eval "$(batchtx local env)"`
    """
    from airflow_batchtx.cli import engine

    typer.echo(engine.exports(engine.environment(engine.health(host, port))))


@local.command()
def status(port: Port = DEFAULT_PORT, host: Host = "127.0.0.1") -> None:
    """Show whether the engine and its S3 answer, and where."""
    from airflow_batchtx.cli import engine

    engine.show(engine.health(host, port))


def main() -> None:
    """Run `batchtx`; an error of this package is one clear message, not a traceback."""
    try:
        app()
    except BatchTransformError as error:
        typer.secho(f"batchtx: {error}", err=True, fg="red")
        sys.exit(exits.exit_code(error))


def _connected(aws: Aws) -> object:
    # boto3 is slow to import, and most commands about the engine do without it.
    from airflow_batchtx.cli.connection import connected

    return connected(aws)


if __name__ == "__main__":
    main()
