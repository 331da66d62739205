"""The demo as people see it: one line a step, then the scored rows."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from airflow_batchtx.cli import engine
from airflow_batchtx.cli.demo import seeding, watching
from airflow_batchtx.cli.demo.airflow import Airflow
from airflow_batchtx.cli.demo.cases.late_payments import CASE, LABEL, holders
from airflow_batchtx.cli.demo.steps import Steps
from airflow_batchtx.cli.extras import require
from airflow_batchtx.errors import LocalEngineError

DAG = "late_payments"
_ROWS_SHOWN = 8
_SECONDS_BETWEEN_LOOKS = 0.2


def tell(*, output: Path, keep: bool) -> None:
    """Run the demo from start to end; whatever it started is gone afterwards, also after Ctrl-C or SIGTERM."""
    require("demo")
    console = Console()
    arrow = "\N{RIGHTWARDS ARROW}"
    console.print(
        Panel(
            f"Data: {CASE.summary};\n{CASE.source}\nDAG {DAG}: prepare {arrow} transform {arrow} associate",
            title="[bold]SageMaker Batch Transform in Airflow, on this machine[/]",
        )
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            _play(Steps(console), stack, output)
            if keep:
                console.print("The engine goes on until Ctrl-C.")
                signal.pause()
    except KeyboardInterrupt:
        console.print("[yellow]Stopped; the engine, its S3 and Airflow are gone.[/]")
        raise SystemExit(130) from None


def seed() -> None:
    """Upload the demo's data and model to the local engine that the environment names; again, where they are there."""
    require("demo")
    steps = Steps(Console())
    needed = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER")
    if missing := [name for name in needed if name not in os.environ]:
        raise LocalEngineError(f'{" and ".join(missing)} not set. First: eval "$(batchtx local env)"')
    steps.follow(_seeded(seeding.Clients(*engine.clients(os.environ))))


def _seeded(clients: seeding.Clients) -> Iterator[str]:
    return seeding.seed(clients, seeding.BUCKET, [CASE.name])


def _play(steps: Steps, stack: ExitStack, output: Path) -> None:
    began = time.monotonic()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batchtx-demo-", ignore_cleanup_errors=True)))
    with steps.step("Start the local engine and its S3"):
        health = stack.enter_context(engine.running(folder / "engine"))
    environment = engine.environment(health)
    clients = seeding.Clients(*engine.clients(environment))
    airflow = Airflow(folder, {**environment, "AIRFLOW_VAR_BATCHTX_BUCKET": seeding.BUCKET})
    with airflow.running("db", "migrate") as migration:
        # Airflow makes its database while the model is trained.
        steps.follow(_seeded(clients))
        with steps.step("Make Airflow's database"):
            airflow.expect(migration)
    with airflow.running("dags", "test", DAG) as run:
        _watch(steps, clients, run)
        airflow.expect(run)
    _show(steps.console, clients, output)
    _tell_times(steps.console, airflow.task_seconds(DAG), time.monotonic() - began)


def _watch(steps: Steps, clients: seeding.Clients, run: subprocess.Popen[bytes]) -> None:
    """Tell each part of the DAG run when it is done; end early with the run."""
    for stage in watching.STAGES:
        with steps.console.status(stage.name) as status:
            while not stage.done(seen := watching.look(clients)):
                if run.poll() is not None:
                    return
                status.update(f"{stage.name}  {stage.told(seen)}")
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        steps.done(stage.name, stage.told(seen))


def _show(console: Console, clients: seeding.Clients, output: Path) -> None:
    parts = _downloaded(clients.s3, output)
    table = importlib.import_module("pyarrow.parquet").read_table(parts)
    sent = len(holders().scoring)
    if table.num_rows != sent:
        raise LocalEngineError(f"{sent} rows went in, and {table.num_rows} came out")
    quality = importlib.import_module("sklearn.metrics").roc_auc_score(table[LABEL], table["prediction"])
    console.print(_as_table(table.slice(0, _ROWS_SHOWN)))
    console.print(f"[bold]{sent:,} rows in = {table.num_rows:,} rows out[/], every score beside its own holder.")
    console.print(f"Area under the ROC curve on these holders, whom the model had not seen: {quality:.3f}")
    console.print(f"The scored table: [bold]{output}/[/] ({len(parts)} Parquet parts, copied from the local S3)")


def _tell_times(console: Console, tasks: Mapping[str, float], seconds: float) -> None:
    each = ", ".join(f"{task} {took:.1f} s" for task, took in tasks.items())
    console.print(f"Time of each task: {each}. All in all {seconds:.0f} s.")


def _downloaded(s3: Any, output: Path) -> list[Path]:
    """Copy the scored parts out of the S3 that ends with the demo; an earlier demo's are replaced."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    parts = []
    for key in watching.keys(s3, ".parquet"):
        if "/scored/" in key:
            parts.append(output / Path(key).name)
            s3.download_file(seeding.BUCKET, key, str(parts[-1]))
    return parts


def _as_table(rows: Any) -> Table:
    shown = Table(title="The first scored rows")
    for name in rows.column_names:
        shown.add_column(name, justify="right", style="bold green" if name == "prediction" else None)
    for row in rows.to_pylist():
        shown.add_row(*map(str, row.values()))
    return shown
