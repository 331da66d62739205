"""Measure, side by side with peers: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.report import Options, Table, document, print_all

BENCHMARKS = {
    "engine": "the local engine against bare clients, on two S3 servers",
    "splitters": "cutting a file into payloads, against the SageMaker SDK's local mode",
    "records": "how fast records are cut, filtered and joined",
    "tables": "preparing and associating tables, against coreutils, Polars, DuckDB and pandas",
    "s3_streaming": "streams from and to S3, against other clients",
    "model_http": "servers for handlers and clients for model servers",
    "triggers": "hundreds of deferred tasks, against the amazon provider's trigger",
    "backfill": "a month of days in 30 jobs, against one job over all days",
    "jobs_page": "the page of jobs in Airflow's UI, with ten thousand jobs",
}


def tables(names: list[str], options: Options) -> Iterator[Table]:
    for name in names:
        yield from importlib.import_module(f"benchmarks.{name}").measure(options)


def main(arguments: list[str]) -> None:
    listed = "\n".join(f"  {name:14} {told}" for name, told in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measures, all or by name:\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure (default: everything)")
    parser.add_argument("--list", action="store_true", help="tell what there is")
    parser.add_argument("--json", action="store_true", help="write a line of JSON for each table")
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep the tables in a Markdown file")
    parser.add_argument("--megabytes", type=int, default=300, help="size of a large object (default: %(default)s)")
    parser.add_argument("--objects", type=int, default=1_000, help="small objects (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of a table (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each measurement (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "batchtx-benchmarks", help="for peers")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if asked.list:
        print(listed)
        return
    options = Options(asked.megabytes, asked.objects, asked.rows, asked.rounds, asked.cache)
    sizes = f"--megabytes {asked.megabytes} --objects {asked.objects} --rows {asked.rows} --rounds {asked.rounds}"
    page = f"docs/{asked.write.name}" if asked.write else ""
    command = f"python -m benchmarks {' '.join([*asked.names, sizes])} --write {page}"
    found = list[Table]()
    for table in tables(asked.names or list(BENCHMARKS), options):
        found.append(table)
        if asked.json:
            print(json.dumps(asdict(table)), flush=True)
        else:
            print_all([table])
        if asked.write:
            asked.write.write_text(document(found, options, command))


if __name__ == "__main__":
    main(sys.argv[1:])
