"""`python -m airflow_batchtx.engine`: serves until it is told to end; its addresses go to standard output as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from airflow_batchtx.engine.config import EngineConfig
from airflow_batchtx.engine.server import Addresses, serve
from airflow_batchtx.errors import LocalEngineError


def main() -> None:
    """Read the command line and serve."""
    try:
        serve(_config(), _report)
    except LocalEngineError as error:
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
    parser.add_argument("--docker", action="store_true")
    parser.add_argument("--ends-with-stdin", action="store_true")
    return EngineConfig(**vars(parser.parse_args()))


def _report(addresses: Addresses) -> None:
    sys.stdout.write(json.dumps(asdict(addresses)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
