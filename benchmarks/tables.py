"""Prepare and associate on plain files: rows a second and peak memory, each step in a process of its own.

Then against other tools: `benchmarks.scored_tables`.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.uri import S3Uri
from benchmarks import scored_tables
from benchmarks.folder import Folder
from benchmarks.processes import MB, ROOT
from benchmarks.report import Options, Table

BATCH = 250_000


def make(store: Folder, rows: int) -> None:
    """Write ids, ten features and a name, as CSV and as Parquet."""
    rng = random.Random(1)
    features = {f"x{at}": pa.array([round(rng.gauss(0, 1), 5) for _ in range(BATCH)]) for at in range(10)}
    names = pa.array([f"customer-{at % 5000}" for at in range(BATCH)])
    with (
        store.writer(S3Uri("b", "csv/a.csv")) as text,
        store.writer(S3Uri("b", "parquet/a.parquet")) as file,
        pq.ParquetWriter(file, pa.table({"id": range(BATCH), **features, "name": names}).schema) as columns,
    ):
        for start in range(0, rows, BATCH):
            part = pa.table({"id": range(start, start + BATCH), **features, "name": names}).slice(0, rows - start)
            arrow_csv.write_csv(part, text, arrow_csv.WriteOptions(include_header=start == 0))
            columns.write_table(part)


def prepared(form: str) -> Callable[[Folder], None]:
    values = {"source": f"s3://b/{form}/", "output": f"s3://b/in-{form}/", "keep": ["id", "name"]}
    return lambda store: store.put(
        S3Uri("b", "prepared.json"), json.dumps(prepare(store, PrepareRequest.read(values)).to_dict()).encode()
    )


def answer(store: Folder) -> None:
    """Write an answer for each line of the shards."""
    rng = random.Random(2)
    for shard in list(store.objects(S3Uri("b", "in-parquet/shards/"))):
        lines = store.get(shard.uri).count(b"\n")
        store.put(S3Uri("b", f"out/{shard.uri.name}.out"), b"".join(b"%.16f\n" % rng.random() for _ in range(lines)))


def associated(form: str) -> Callable[[Folder], None]:
    def run(store: Folder) -> None:
        made = json.loads(store.get(S3Uri("b", "prepared.json")))
        result = {"job_name": "j", "status": "Completed", "output": "s3://b/out/", "input": made["input"]}
        result |= {"prepared": made["manifest"], "rows": made["rows"], "objects": made["shards"]}
        associate(store, AssociateRequest.read({"result": result, "output": f"s3://b/scored-{form}/", "format": form}))

    return run


STEPS: dict[str, Callable[[Folder], None]] = {
    "prepare csv": prepared("csv"),
    "prepare parquet": prepared("parquet"),
    "answer": answer,
    "associate parquet": associated("parquet"),
    "associate csv": associated("csv"),
}


def measured(step: str, store: Folder, rows: int) -> tuple[float, float]:
    """One step, in the process that runs it: its seconds, and the peak memory in MB."""
    began = time.monotonic()
    STEPS[step](store) if step in STEPS else make(store, rows)
    return time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


def measure(options: Options) -> Iterator[Table]:
    rows = list[tuple[str, float, float, float]]()
    with tempfile.TemporaryDirectory() as folder:
        # A child's peak begins with its parent's: nothing large may happen in this process.
        for step in ("make", *STEPS):
            command = [sys.executable, "-m", "benchmarks.tables", step, folder, str(options.rows)]
            ran = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE)
            seconds, peak = json.loads(ran.stdout)
            rows.append((step, seconds, options.rows / seconds / 1e6, peak))
    yield Table("Tables of 12 columns, as files", ("step", "seconds", "M rows/s", "peak MB"), tuple(rows))
    yield from scored_tables.measure(options)


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], Folder(Path(sys.argv[2])), int(sys.argv[3]))))
