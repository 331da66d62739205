"""Rows of 12 columns, 100 bytes each, and a prediction for each: as CSV, as answers of a job, and as Parquet."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from airflow_batchtx.spec.uri import S3Uri
from benchmarks.folder import Folder

OBJECTS = 4
FEATURES = [f"x{at}" for at in range(10)]
COLUMNS = ["id", *FEATURES, "name"]
BLOCK = 100_000
_PLAIN = arrow_csv.WriteOptions(include_header=False, quoting_style="none")


def make(store: Folder, rows: int) -> None:
    """Write `OBJECTS` objects of each kind: `input/`, `answers/` and `features/`."""
    each = -(-rows // OBJECTS)
    for number in range(OBJECTS):
        first, count = number * each, max(0, min(each, rows - number * each))
        with (
            store.writer(S3Uri("b", f"input/part-{number}.csv")) as text,
            store.writer(S3Uri("b", f"answers/part-{number}.csv.out")) as answers,
            store.writer(S3Uri("b", f"features/part-{number}.parquet")) as file,
            pq.ParquetWriter(file, block(0).schema) as columns,
        ):
            for part, told in _parts(first, count):
                arrow_csv.write_csv(part, text, _PLAIN)
                answers.write(told)
                columns.write_table(part)


def block(first: int) -> pa.Table:
    """Give rows that repeat but for their ids."""
    return _fixed().add_column(0, "id", pa.array(range(first, first + BLOCK), pa.int64()))


def _parts(first: int, count: int) -> Iterator[tuple[pa.Table, bytes]]:
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        yield block(first + start).slice(0, size), b"".join(_answers()[:size])


@cache
def _fixed() -> pa.Table:
    chance = random.Random(1)
    features = {name: [round(chance.gauss(0, 1), 5) for _ in range(BLOCK)] for name in FEATURES}
    return pa.table({**features, "name": [f"customer-{at % 5000}" for at in range(BLOCK)]})


@cache
def _answers() -> list[bytes]:
    chance = random.Random(2)
    return [b"%.16f\n" % chance.random() for _ in range(BLOCK)]
