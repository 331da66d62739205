"""Rows that cannot be prepared: named, or set aside in a table of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from airflow_batchtx.errors import InvalidData, Problem, TooManyQuarantined
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.allowance import Allowance
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.chunks import MOST, text_of
from airflow_batchtx.storage.tables.parquet import ParquetSink
from airflow_batchtx.storage.tables.streams import DigestWriter

_KINDS: Mapping[str, pa.DataType] = {
    "source": pa.string(),
    "row": pa.int64(),
    "column": pa.string(),
    "value": pa.string(),
    "reason": pa.string(),
    "record": pa.string(),
}
SCHEMA = pa.schema(_KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprepared:
    """A row that cannot be prepared: its number in its source, from 1, what of it is wrong, and all of it as text.

    Without a number nothing behind it in that source can be read either.
    """

    source: str
    row: int | None
    column: str | None
    value: object
    rule: str
    remedy: str
    record: str | None

    @property
    def problem(self) -> Problem:
        """What is told of it."""
        row = "" if self.row is None else f", row {self.row}"
        column = "" if self.column is None else f", column {self.column!r}"
        return Problem(f"{self.source}{row}{column}", self.value, self.rule, self.remedy)


class Quarantine:
    """Takes rows that cannot be prepared. InvalidData names the first of them where none may be set aside."""

    def __init__(self, allowed: Allowance, place: S3Uri, sink: Callable[[], ParquetSink]) -> None:
        self._allowed, self._place, self._open = allowed, place, sink
        self._sink: ParquetSink | None = None
        self._first: list[Problem] = []
        self.rows = 0

    @property
    def is_open(self) -> bool:
        """Tell whether rows may be set aside at all."""
        return bool(self._allowed)

    @property
    def most(self) -> int | None:
        """How many damaged records of an object are worth finding; None for all."""
        if not self._allowed:
            return MOST
        return None if self._allowed.part else self._allowed.rows + 1 - self.rows

    @property
    def is_full(self) -> bool:
        """Tell that there are too many, whatever comes."""
        return not self._allowed.part and self.rows > self._allowed.rows

    @property
    def places(self) -> tuple[S3Uri, ...]:
        """The objects that hold the rows."""
        return () if self._sink is None else (self._place,)

    def add(self, found: Iterable[Unprepared]) -> None:
        """Set rows aside, not many more than may be."""
        rows = tuple(islice(found, self.most))
        if not rows:
            return
        self._first += [row.problem for row in rows[: MOST - len(self._first)]]
        if not self._allowed or any(row.row is None for row in rows):
            raise InvalidData("prepare", tuple(self._first))
        if self._sink is None:
            self._sink = self._open()
        self._sink.write(_batch(rows))
        self.rows += len(rows)

    def judge(self, prepared: int) -> None:
        """Raise TooManyQuarantined, which names the first, if there are too many beside so many rows of the shards."""
        rows = self.rows + prepared
        is_allowed = self._allowed.allows(self.rows, rows)
        if not self.rows or (prepared and is_allowed):
            return
        what = "leaves nothing for the model" if is_allowed else "is exceeded"
        rule = f"{what}: {self.rows} of {rows} rows read cannot be prepared; they are in {self._place}"
        remedy = "Look at them, then mend the data or allow for more."
        problem = Problem("max_quarantined", str(self._allowed), rule, remedy)
        raise TooManyQuarantined("prepare", (problem, *self._first), self.rows, rows, str(self._place))


@contextmanager
def opened(store: ObjectStore, request: PrepareRequest) -> Iterator[Quarantine]:
    """Give a quarantine whose rows are in its place when the context is left without an exception."""
    place = request.quarantine / "part-00000.parquet"
    with ExitStack() as stack:

        def sink() -> ParquetSink:
            target = DigestWriter(stack.enter_context(store.writer(place)))
            return stack.enter_context(closing(ParquetSink(target, SCHEMA)))

        yield Quarantine(request.max_quarantined, place, sink)


def refusing(request: PrepareRequest) -> Quarantine:
    """Give a quarantine that takes nothing."""

    def sink() -> ParquetSink:
        raise AssertionError("nothing is set aside")

    return Quarantine(Allowance(), request.quarantine, sink)


def _batch(rows: tuple[Unprepared, ...]) -> pa.RecordBatch:
    values = [(row.source, row.row, row.column, _text(row.value), row.rule, row.record) for row in rows]
    columns = zip(*values, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case bytes():
            return text_of(value)
        case _:
            # A text of JSON may hold half of a surrogate pair.
            return str(value).encode(errors="backslashreplace").decode()
