"""`batchtx logs`: the lines of a job's logs, as they are printed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from airflow_batchtx.control import tailing
from airflow_batchtx.control.datalog import cleaned
from airflow_batchtx.control.services import Services
from airflow_batchtx.sagemaker.joblogs import DATA_LOG, LogLine


def lines(services: Services, job_name: str, *, follow: bool, data: bool) -> Iterator[LogLine]:
    """Yield the lines, of the data log only if asked for."""
    return tailing.lines(services, job_name, follow=follow, wanted=_of_data if data else lambda _: True)


def as_text(line: LogLine) -> str:
    """Write a line for people; what a model has printed does not get at the terminal."""
    return f"{line.time:%H:%M:%S} [{line.stream.partition('/')[2]}] {cleaned(line.text)}"


def as_json(line: LogLine) -> str:
    """Write a line as a JSON object on one line."""
    return json.dumps({"time": line.time.isoformat(), "stream": line.stream, "text": line.text})


def _of_data(line: LogLine) -> bool:
    return line.stream.endswith(f"/{DATA_LOG}")
