"""What other tools make of the same files: run by the Python of an environment that has them, and nothing else.

`python table_peers.py <peer> <task> <JSON>` prints the seconds that it took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FEATURES = [f"x{at}" for at in range(10)]
COLUMNS = ["id", *FEATURES, "name"]


def files(told: dict[str, Any], folder: str) -> list[Path]:
    return sorted((Path(told["root"]) / "b" / folder).iterdir())


def pairs(told: dict[str, Any]) -> list[tuple[Path, Path, Path]]:
    target = Path(told["root"]) / "b" / told["target"]
    target.mkdir(parents=True, exist_ok=True)
    both = zip(files(told, "input"), files(told, "answers"), strict=True)
    return [(source, answers, target / f"part-{at}.{told['ending']}") for at, (source, answers) in enumerate(both)]


def paste(told: dict[str, Any]) -> None:
    for source, answers, target in pairs(told):
        with target.open("wb") as file:
            subprocess.run(["paste", "-d,", source, answers], check=True, stdout=file)


def polars_to_parquet(told: dict[str, Any]) -> None:
    import polars as pl

    kinds = {"id": pl.Int64, **dict.fromkeys(FEATURES, pl.Float64), "name": pl.String}
    for source, answers, target in pairs(told):
        left = pl.scan_csv(source, has_header=False, schema=kinds)
        right = pl.scan_csv(answers, has_header=False, schema={"score": pl.Float64})
        pl.concat([left, right], how="horizontal").sink_parquet(target, compression="snappy", statistics=True)


def polars_on_s3(told: dict[str, Any]) -> None:
    import polars as pl

    options = {
        "aws_endpoint_url": told["endpoint"],
        "aws_allow_http": "true",
        "aws_region": "us-east-1",
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
    }
    kinds = {"id": pl.Int64, **dict.fromkeys(FEATURES, pl.Float64), "name": pl.String}
    home = f"s3://{told['bucket']}"
    for at, source in enumerate(files(told, "input")):
        left = pl.scan_csv(f"{home}/input/{source.name}", has_header=False, schema=kinds, storage_options=options)
        answers = f"{home}/answers/{source.name}.out"
        right = pl.scan_csv(answers, has_header=False, schema={"score": pl.Float64}, storage_options=options)
        joined = pl.concat([left, right], how="horizontal")
        joined.sink_parquet(f"{home}/{told['target']}/part-{at}.parquet", compression="snappy", storage_options=options)


def polars_to_csv(told: dict[str, Any]) -> None:
    import polars as pl

    target = Path(told["root"]) / "b" / told["target"]
    target.mkdir(parents=True, exist_ok=True)
    for at, source in enumerate(files(told, "features")):
        pl.scan_parquet(source).select(FEATURES).sink_csv(target / f"part-{at}.csv", include_header=False)


def duckdb_to_parquet(told: dict[str, Any]) -> None:
    import duckdb

    columns = {"id": "BIGINT", **dict.fromkeys(FEATURES, "DOUBLE"), "name": "VARCHAR"}
    for source, answers, target in pairs(told):
        duckdb.sql(
            f"COPY (SELECT * FROM read_csv('{source}', header=false, columns={columns})"
            f" POSITIONAL JOIN read_csv('{answers}', header=false, columns={{'score': 'DOUBLE'}}))"
            f" TO '{target}' (FORMAT parquet, COMPRESSION snappy)"
        )


def duckdb_to_csv(told: dict[str, Any]) -> None:
    import duckdb

    target = Path(told["root"]) / "b" / told["target"]
    target.mkdir(parents=True, exist_ok=True)
    for at, source in enumerate(files(told, "features")):
        duckdb.sql(
            f"COPY (SELECT {', '.join(FEATURES)} FROM '{source}') TO '{target / f'part-{at}.csv'}'"
            " (FORMAT csv, HEADER false)"
        )


def pandas_to_parquet(told: dict[str, Any]) -> None:
    import pandas as pd

    for source, answers, target in pairs(told):
        left = pd.read_csv(source, header=None, names=COLUMNS, engine="pyarrow")
        right = pd.read_csv(answers, header=None, names=["score"], engine="pyarrow")
        pd.concat([left, right], axis=1).to_parquet(target)


TASKS = {
    ("paste", "csv"): paste,
    ("polars", "parquet"): polars_to_parquet,
    ("polars", "parquet on S3"): polars_on_s3,
    ("polars", "shards"): polars_to_csv,
    ("duckdb", "parquet"): duckdb_to_parquet,
    ("duckdb", "shards"): duckdb_to_csv,
    ("pandas", "parquet"): pandas_to_parquet,
}


def main(peer: str, task: str, told: dict[str, Any]) -> None:
    if peer != "paste":
        __import__(peer)
    began = time.perf_counter()
    TASKS[peer, task](told)
    print(json.dumps(time.perf_counter() - began))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
