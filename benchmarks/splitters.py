"""Cutting a file of lines into payloads: this package against the SageMaker SDK's local mode, on the same file.

The SDK (version 2, the last with local mode) is installed in an environment of its own; only its splitters and batch
strategies run, in a process of their own, as ours do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

PAYLOAD_MB = 6
MOST_MB = 50  # the SDK packs payloads at a few MB a second


def ours(single: bool) -> Callable[[str], Iterable[bytes]]:
    from airflow_batchtx.records.framing import payloads
    from airflow_batchtx.spec.enums import BatchStrategy, SplitType

    strategy = BatchStrategy.SINGLE_RECORD if single else BatchStrategy.MULTI_RECORD

    def cut(path: str) -> Iterator[bytes]:
        with open(path, "rb") as file:  # noqa: PTH123  the SDK's environment runs this too, on any Python
            yield from payloads(file, SplitType.LINE, strategy, PAYLOAD_MB * 1024 * 1024)

    return cut


def theirs(single: bool) -> Callable[[str], Iterable[bytes]]:
    from sagemaker.local.data import get_batch_strategy_instance, get_splitter_instance

    splitter = get_splitter_instance("Line")
    strategy = get_batch_strategy_instance("SingleRecord" if single else "MultiRecord", splitter)
    return lambda path: strategy.pad(path, PAYLOAD_MB)


WAYS = {"ours": ours, "theirs": theirs}


def measured(way: str, single: bool, path: str) -> tuple[float, int]:
    """CPU seconds and payloads."""
    cut = WAYS[way](single)
    began = time.process_time()
    count = sum(1 for _ in cut(path))
    return time.process_time() - began, count


def measure(options: Options) -> Iterator[Table]:
    title = "Lines into payloads of 6 MB"
    try:
        sdk = installed(options.cache, "sagemaker-sdk", "sagemaker<3")
    except Unavailable as reason:
        yield skipped(title, str(reason))
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lines.csv"
        size = path.write_bytes(datasets.data(datasets.plain, min(options.megabytes, MOST_MB) * MB))
        rows = [
            row(name, single, {"ours": Path(sys.executable), "theirs": sdk}, path, size, options.rounds)
            for name, single in (("MultiRecord", False), ("SingleRecord", True))
        ]
    columns = ("strategy", "ours", "SageMaker SDK", "ratio", "our payloads", "theirs")
    note = f"At most {MOST_MB} MB of lines, best of {options.rounds} rounds."
    yield Table(f"{title}, MB per CPU second", columns, tuple(rows), (note,))


def row(
    name: str, single: bool, pythons: dict[str, Path], path: Path, size: int, rounds: int
) -> tuple[str | float, ...]:
    best: dict[str, float] = {}
    counts: dict[str, int] = {}
    for _ in range(rounds):
        for way, python in pythons.items():
            command = [str(python), "-m", "benchmarks.splitters", way, str(int(single)), str(path)]
            ran = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment())
            # Before it, the SDK may greet.
            seconds, counts[way] = json.loads(ran.stdout.splitlines()[-1])
            best[way] = min(seconds, best.get(way, seconds))
    rates = [size / best[way] / MB for way in pythons]
    return (name, *rates, rates[0] / rates[1], *(f"{count:,}" for count in counts.values()))


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], bool(int(sys.argv[2])), sys.argv[3])))
else:
    from benchmarks import datasets
    from benchmarks.processes import MB, ROOT, Unavailable, installed
    from benchmarks.report import Options, Table, skipped
