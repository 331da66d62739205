"""Tables made of inputs and predictions, and shards of tables, against other tools: as files and through S3."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.families import Failed, measured
from benchmarks.folder import Folder
from benchmarks.processes import BUCKET, MB, ROOT, S3_SERVERS, Unavailable, installed, s3_client
from benchmarks.report import Cell, Options, Table, skipped, verdict
from benchmarks.scored_rows import make
from benchmarks.table_peers import TASKS

PEERS = ("polars", "duckdb", "pandas")
OURS = "airflow_batchtx"
# MB: what a task that associates may take.
MEMORY = 200.0
# Rows of a small table, as a part of the large one.
SMALL = 10


@dataclass(frozen=True)
class Figures:
    """Medians of the rounds."""

    seconds: float
    peak: float


Contender = Callable[[dict[str, Any]], tuple[float, float]]


def ours(task: str, **options: Any) -> Contender:
    def run(told: dict[str, Any]) -> tuple[float, float]:
        command = [sys.executable, "-m", "benchmarks.table_tasks", task, json.dumps(told | options)]
        printed, peak = measured(command)
        return float(printed), peak

    return run


def peer(python: Path | str, name: str, task: str, **options: Any) -> Contender:
    def run(told: dict[str, Any]) -> tuple[float, float]:
        script = ROOT / "benchmarks" / "table_peers.py"
        printed, peak = measured([python, script, name, task, json.dumps(told | options)])
        return float(printed), peak

    return run


def turns(told: dict[str, Any], contenders: Mapping[str, Contender], rounds: int) -> dict[str, Figures | str]:
    """Let contenders take turns, and give the medians of each, or why there are none."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    failed: dict[str, Figures | str] = {}
    for _ in range(rounds):
        for name, run in contenders.items():
            if name in failed:
                continue
            try:
                found[name].append(run(told | {"target": "target"}))
            except Failed as reason:
                failed[name] = str(reason).splitlines()[-1]
            finally:
                _cleared(told)
    medians: dict[str, Figures | str] = {
        name: Figures(statistics.median(one[0] for one in taken), statistics.median(one[1] for one in taken))
        for name, taken in found.items()
        if name not in failed
    }
    return medians | failed


def _cleared(told: dict[str, Any]) -> None:
    shutil.rmtree(Path(told["root"]) / "b" / "target", ignore_errors=True)
    if endpoint := told.get("endpoint"):
        client = s3_client(endpoint)
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="target/"):
            keys = [{"Key": one["Key"]} for one in page.get("Contents", ())]
            if keys:
                client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})


# --------------------------------------------------------------------------------------------------- the tables


@dataclass(frozen=True)
class Goal:
    """How fast something of ours has to be, as a part of the best peer's speed; None where that is only told."""

    speed: Mapping[str, float]
    memory: float | None = None


def compared(title: str, size: float, found: Mapping[str, Figures | str], goal: Goal, note: str = "") -> Table:
    """Show all contenders beside the fastest that is not ours."""
    peers = {name: one for name, one in found.items() if isinstance(one, Figures) and not name.startswith(OURS)}
    best = min(peers.values(), key=lambda one: one.seconds, default=None)
    rows = tuple(_row(name, size, one, best, goal) for name, one in found.items())
    columns = ("what", "seconds", "MB/s", "to the best", "", "peak MB", "to the best's memory", " ")
    return Table(title, columns, rows, (note,) if note else ())


def _row(name: str, size: float, one: Figures | str, best: Figures | None, goal: Goal) -> tuple[Cell, ...]:
    if isinstance(one, str):
        return (name, None, None, None, f"skipped: {one}", None, None, "")
    speed = best.seconds / one.seconds if best else None
    wanted = goal.speed.get(name)
    of_speed = verdict(speed, wanted) if speed and wanted else ""
    memory = one.peak / best.peak if best else None
    of_memory = ""
    if goal.memory and wanted and best:
        of_memory = verdict(one.peak, min(goal.memory, best.peak / 3), at_most=True)
    return (name, one.seconds, size / one.seconds, speed, of_speed, one.peak, memory, of_memory)


def size_of(root: Path, *folders: str) -> float:
    return sum(file.stat().st_size for folder in folders for file in (root / "b" / folder).iterdir()) / MB


def pythons(options: Options) -> Iterator[tuple[str, Path | None]]:
    """Give the Python of each peer, None where it cannot be had."""
    for name in PEERS:
        try:
            more = ("pyarrow",) if name == "pandas" else ()
            yield name, installed(options.cache, name, name, *more)
        except Unavailable:
            yield name, None


def against(options: Options, task: str, **said: Any) -> dict[str, Contender]:
    return {
        name: peer(python, name, task, **said)
        for name, python in pythons(options)
        if python is not None and (name, task) in TASKS
    }


def to_csv(options: Options, told: dict[str, Any], size: float, peers: Mapping[str, Contender], where: str) -> Table:
    said = {"ending": "csv"}
    contenders = {
        **peers,
        OURS: ours("associate", processes=1, **said),
        f"{OURS}, 2 processes": ours("associate", processes=2, **said),
    }
    found = turns(told, contenders, options.rounds)
    note = "What airflow_batchtx writes is hashed, counted and proved; paste does none of it."
    return compared(
        f"Predictions beside CSV rows, to CSV, {where}", size, found, Goal({f"{OURS}, 2 processes": 1.0}), note
    )


def to_parquet(
    options: Options, told: dict[str, Any], size: float, peers: Mapping[str, Contender], where: str
) -> Table:
    said = {"ending": "parquet"}
    contenders = {
        **peers,
        OURS: ours("associate", processes=1, **said),
        f"{OURS}, 2 processes": ours("associate", processes=2, **said),
    }
    found = turns(told, contenders, options.rounds)
    goal = Goal({OURS: 1.0, f"{OURS}, 2 processes": 1.0}, MEMORY)
    return compared(f"Predictions beside CSV rows, to Parquet, {where}", size, found, goal)


def to_shards(options: Options, told: dict[str, Any], size: float) -> Table:
    contenders = {**against(options, "shards"), OURS: ours("prepare"), f"{OURS}, keeping": ours("prepare", keep=True)}
    found = turns(told, contenders, options.rounds)
    return compared("Parquet to CSV shards, as files", size, found, Goal({OURS: 0.8}))


def growth(options: Options, told: dict[str, Any]) -> Iterator[tuple[Cell, ...]]:
    """Compare the memory that a table takes with that of a tenth of it."""
    with tempfile.TemporaryDirectory(dir=told["root"]) as small:
        make(Folder(Path(small)), options.rows // SMALL)
        tasks = {
            "associate, CSV": ours("associate", processes=1, ending="csv"),
            "associate, Parquet": ours("associate", processes=1, ending="parquet"),
            "prepare, CSV": ours("prepare", keep=True),
        }
        for name, run in tasks.items():
            peaks = [run({"root": str(root), "target": "target"})[1] for root in (small, told["root"])]
            _cleared(told)
            yield name, peaks[0], peaks[1], peaks[1] / peaks[0], verdict(peaks[1] / peaks[0], 1.1, at_most=True)


# ------------------------------------------------------------------------------------------------------- the run


def measure(options: Options) -> Iterator[Table]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        measured([sys.executable, "-m", "benchmarks.scored_tables", folder, options.rows])
        told: dict[str, Any] = {"root": folder}
        size = size_of(root, "input", "answers")
        paste = {"paste": peer(sys.executable, "paste", "csv", ending="csv")}
        yield to_csv(options, told, size, paste, "as files")
        yield to_parquet(options, told, size, against(options, "parquet", ending="parquet"), "as files")
        yield to_shards(options, told, size_of(root, "features"))
        columns = ("what", f"{options.rows // SMALL:,} rows: peak MB", f"{options.rows:,} rows", "grows to", "")
        yield Table("Memory that does not grow with the data", columns, tuple(growth(options, told)))
        for name, server in S3_SERVERS.items():
            try:
                with server(options.cache) as endpoint:
                    _uploaded(root, endpoint)
                    yield from _through_s3(options, told | {"endpoint": endpoint}, size, name)
            except Unavailable as reason:
                yield skipped(f"Tables through {name}", str(reason))


def _uploaded(root: Path, endpoint: str) -> None:
    client = s3_client(endpoint)
    client.create_bucket(Bucket=BUCKET)
    for folder in ("input", "answers"):
        for file in sorted((root / "b" / folder).iterdir()):
            client.upload_file(str(file), BUCKET, f"{folder}/{file.name}")


def _through_s3(options: Options, told: dict[str, Any], size: float, server: str) -> Iterator[Table]:
    paste = {"paste, with copies by boto3": ours("paste with copies", ending="csv")}
    yield to_csv(options, told, size, paste, f"through {server}")
    polars = against(options, "parquet on S3", ending="parquet", bucket=BUCKET)
    yield to_parquet(options, told, size, polars, f"through {server}")


if __name__ == "__main__":
    make(Folder(Path(sys.argv[1])), int(sys.argv[2]))
