"""The objects of a job and their outputs, in a file that outlives it: a line of JSON for each, in their order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.uri import S3Uri


def write(path: Path, transfers: Iterable[Transfer]) -> int:
    """Keep the work of a job, and count its objects."""
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for count, transfer in enumerate(transfers, 1):  # noqa: B007 the last one is the answer
            file.write(json.dumps([str(transfer.source), str(transfer.target)]) + "\n")
    return count


def read(path: Path, first: int = 0, most: int | None = None) -> Iterator[Transfer]:
    """Yield the objects from number `first` on (the first is 0), at most so many; none where nothing was kept."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in islice(file, first, None if most is None else first + most):
            source, target = json.loads(line)
            yield Transfer(S3Uri.parse(source), S3Uri.parse(target))
