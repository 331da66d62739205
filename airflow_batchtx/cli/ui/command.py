"""Start all of it, say where it is, and end all of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from airflow_batchtx.cli import engine
from airflow_batchtx.cli.demo import seeding
from airflow_batchtx.cli.demo.airflow import example_dags
from airflow_batchtx.cli.demo.cases import load
from airflow_batchtx.cli.demo.steps import Steps
from airflow_batchtx.cli.extras import require
from airflow_batchtx.cli.ui.kept import kept
from airflow_batchtx.cli.ui.pages import Pages
from airflow_batchtx.cli.ui.queues import Clients, make_queues
from airflow_batchtx.cli.ui.running import AIRFLOW, TASKS, Running, log_of
from airflow_batchtx.cli.ui.settings import (
    HOST,
    POOL,
    USER,
    free_port,
    make_database,
    password,
    settings,
)
from airflow_batchtx.cli.ui.watching import until_lost
from airflow_batchtx.errors import LocalEngineError

# Seconds. Airflow starts within half a minute on two idle cores, and has read its DAGs by then.
_STARTED_WITHIN, _READ_WITHIN = 300.0, 60.0
_BETWEEN_LOOKS = 0.5


def run(*, port: int, engine_port: int, home: Path, cases: Sequence[str]) -> None:
    """Serve until Ctrl-C or SIGTERM; whatever it started is gone afterwards.

    InvalidInput for a case that does not exist; LocalEngineError where a part does not start, or ends by itself.
    """
    require("demo")
    for name in cases:
        load(name)
    console = Console()
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            running = _start(Steps(console), stack, port=port, engine_port=engine_port, home=home, cases=cases)
            _tell(console, running)
            lost = until_lost(running.ailing, clock=time.monotonic, sleep=time.sleep)
            raise LocalEngineError(f"Not healthy any more, so all was ended: {', '.join(lost)}. See {running.log}")
    except KeyboardInterrupt:
        console.print("Airflow, the engine and its S3 have ended.")


def _start(steps: Steps, stack: ExitStack, *, port: int, engine_port: int, home: Path, cases: Sequence[str]) -> Running:
    home.mkdir(parents=True, exist_ok=True)
    with steps.step("Start the local engine and its S3"):
        found = stack.enter_context(engine.running(home / "engine", port=engine_port, log=home / "engine.log"))
    pages, tasks = (Pages(HOST, free_port(wanted), USER, password(home)) for wanted in (port, 0))
    make_database(home)
    environment = settings(home, pages.port, tasks.port, found, seeding.BUCKET)
    processes = {AIRFLOW: stack.enter_context(_airflow(home, AIRFLOW, environment, "standalone"))}
    running = Running(found, processes, pages, home)
    stack.callback(steps.console.print, "[dim]Ending Airflow and the engine[/]")
    # Airflow makes its database meanwhile.
    variables = engine.environment(found)
    clients = seeding.Clients(*engine.clients(variables))
    steps.follow(seeding.seed(clients, seeding.BUCKET, cases))
    with steps.step("Make the queues of the examples that events start"):
        senders = (engine.client(service, variables) for service in Clients._fields)
        make_queues(Clients(*senders), seeding.BUCKET)
    if late := _awaited(steps, "Airflow starts", running, pages.ailing, _STARTED_WITHIN):
        raise LocalEngineError(f"Airflow has not started: {', '.join(late)} not healthy. See {running.log}")
    # It starts where there is a database.
    serving = ("api-server", "--apps", "execution", "--host", HOST, "--port", str(tasks.port))
    processes[TASKS] = stack.enter_context(_airflow(home, TASKS, environment, *serving))
    if _awaited(steps, "Airflow makes ready for tasks", running, tasks.cold, _STARTED_WITHIN):
        raise LocalEngineError(f"Airflow is not ready for tasks. See {log_of(home, TASKS)}")
    pages.make_pool(*POOL)
    # A file of somebody's that has no DAG in it is never among those that are read.
    files = [file.name for file in sorted(example_dags().glob("*.py"))]
    _awaited(steps, "Airflow reads the DAGs", running, lambda: pages.unread(files), _READ_WITHIN)
    return running


def _airflow(
    home: Path, name: str, environment: Mapping[str, str], *arguments: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return kept([sys.executable, "-m", "airflow", *arguments], environment=environment, log=log_of(home, name))


def _awaited(
    steps: Steps, name: str, running: Running, missing: Callable[[], Collection[str]], seconds: float
) -> Collection[str]:
    """Wait until nothing is missing any more, and say meanwhile what is; give what is after so many seconds."""
    began = time.monotonic()
    with steps.console.status(name) as status:
        while (left := missing()) and time.monotonic() - began < seconds:
            running.expect()
            status.update(f"{name}  [dim]{', '.join(left)}[/]")
            time.sleep(_BETWEEN_LOOKS)
    if not left:
        steps.done(name, f"{time.monotonic() - began:.1f} s")
    return left


def _tell(console: Console, running: Running) -> None:
    parsed = running.pages.parsed()
    shown = Table.grid(padding=(0, 3))
    for name, value in (
        ("Airflow", f"[bold]{running.pages.url}[/]   user [bold]{USER}[/], password [bold]{running.pages.password}[/]"),
        ("DAGs", ", ".join(sorted(parsed.dags))),
        *((("cannot be read", f"[red]{', '.join(parsed.broken)}[/]"),) if parsed.broken else ()),
        ("Jobs", f"{running.engine.engine}/jobs"),
        ("Logs", escape(f"{running.log}, {running.home / 'engine.log'}")),
        ("boto3", f'eval "$(batchtx local env --port {running.engine.port})"'),
    ):
        shown.add_row(f"[dim]{name}[/]", value)
    console.print(
        Panel(shown, title="[bold]Airflow on the local engine[/]", subtitle="Ctrl-C ends all of it", expand=False)
    )
