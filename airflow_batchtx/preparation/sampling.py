"""What some rows of a source tell of all of it, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from io import BytesIO
from operator import attrgetter

from airflow_batchtx.planning.sampling import longest_line
from airflow_batchtx.preparation.quarantine import SCHEMA, Quarantine
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.preparation.rows import Rows, lines, rows
from airflow_batchtx.preparation.source import Plan, plan
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.parquet import ParquetSink
from airflow_batchtx.storage.tables.streams import DigestWriter

# Objects that are sampled, the smallest, and the bytes of lines that are enough of each.
OBJECTS, ENOUGH = 2, 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows that were read, and what they tell. Sizes are in bytes.

    `objects` and `source` count and measure the whole source. `read` is how much of it `rows` rows are, as it lies
    there; for the model they are `lines`, the longest of which is `longest`.
    """

    objects: int
    source: int
    read: int
    rows: int
    lines: int
    longest: int

    @property
    def all_rows(self) -> int:
        """About how many rows there are."""
        return self._of_all(self.rows)

    @property
    def all_lines(self) -> int:
        """About how many bytes the model will be sent."""
        return self._of_all(self.lines)

    def _of_all(self, part: int) -> int:
        return round(part * self.source / self.read) if self.read else part


def sample(store: ObjectStore, request: PrepareRequest) -> Sample:
    """Read the first rows of some objects; InvalidData names what stands in the way of preparing any."""
    planned = plan(store, request)
    read = count = written = longest = 0
    for table in sorted(planned.tables, key=attrgetter("stored.size"))[:OBJECTS]:
        for part in _first(store, replace(planned, tables=(table,))):
            text = bytes(lines(planned.form, part))
            read, count, written = read + part.end - part.begin, count + len(part), written + len(text)
            longest = max(longest, longest_line(text) + 1)
    return Sample(
        objects=len(planned.tables),
        source=sum(table.stored.size for table in planned.tables),
        read=read,
        rows=count,
        lines=written,
        longest=longest,
    )


def _first(store: ObjectStore, planned: Plan) -> Iterator[Rows]:
    written = 0
    # A generator, which closes what it reads.
    with closing(rows(store, planned, _aside(planned.request))) as parts:  # type: ignore[type-var]
        for part in parts:
            yield part
            written += part.model.nbytes
            if written >= ENOUGH:
                return


def _aside(request: PrepareRequest) -> Quarantine:
    """Set aside what prepare would, and keep nothing of it."""
    return Quarantine(request.max_quarantined, request.quarantine, lambda: ParquetSink(DigestWriter(BytesIO()), SCHEMA))
