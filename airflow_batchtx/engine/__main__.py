"""`python -m airflow_batchtx.engine`: serves until it is told to end; its addresses go to standard output as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from airflow_batchtx.engine.conditions import read
from airflow_batchtx.engine.config import EngineConfig
from airflow_batchtx.engine.server import Addresses, serve
from airflow_batchtx.errors import InvalidFaults, LocalEngineError


def main() -> None:
    """Read the command line and serve."""
    try:
        serve(_config(), _report)
    except (LocalEngineError, InvalidFaults) as error:
        sys.exit(str(error))


def _config() -> EngineConfig:
    parser = argparse.ArgumentParser(prog="python -m airflow_batchtx.engine", description=EngineConfig.__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", default=EngineConfig.__dataclass_fields__["host"].default)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--s3-endpoint-url")
    parser.add_argument("--s3-port", type=int, default=0)
    parser.add_argument("--aws-endpoint-url")
    parser.add_argument("--region", default=EngineConfig.__dataclass_fields__["region"].default)
    parser.add_argument("--ping-seconds", type=float, default=EngineConfig.__dataclass_fields__["ping_seconds"].default)
    parser.add_argument("--s3-seconds", type=float, default=EngineConfig.__dataclass_fields__["s3_seconds"].default)
    parser.add_argument("--docker", action="store_true")
    parser.add_argument("--ends-with-stdin", action="store_true")
    parser.add_argument("--faults", help="as BATCHTX_FAULTS of a job, for all jobs")
    parser.add_argument("--quota", action="append", default=[], help="ml.m5.large=2, or all=20; any number of them")
    parser.add_argument("--throttle", help="calls a second of each operation: 5, or 5:20 with a burst of 20")
    given = vars(parser.parse_args())
    conditions = read(given.pop("faults"), given.pop("quota"), given.pop("throttle"))
    return EngineConfig(conditions=conditions, **given)


def _report(addresses: Addresses) -> None:
    sys.stdout.write(json.dumps(asdict(addresses)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
