"""The rows of the source: streamed, with the model's columns and the kept ones apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import pyarrow as pa

from airflow_batchtx.errors import InvalidData, MalformedRecord, Problem
from airflow_batchtx.preparation.columns import Column, converted
from airflow_batchtx.preparation.forms import Form, Unfit
from airflow_batchtx.preparation.quarantine import Quarantine, Unprepared, refusing
from airflow_batchtx.preparation.readers import READERS
from airflow_batchtx.preparation.source import Plan, SourceTable, Table, own_name
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.chunks import MOST, Chunk, Damage

_MEND = "Mend the object, or leave it out of the source."

# Is told how much of the source is read, and how much there is.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive rows of one object; `first` counts its rows from 1, as long as none is set aside.

    `begin` and `end` tell how far the whole source is read, in bytes as they lie in S3, before and after them: together
    all rows go from nothing to all of it.
    """

    uri: str
    first: int
    model: pa.RecordBatch
    kept: pa.RecordBatch | None
    begin: int
    end: int

    def __len__(self) -> int:
        """Count them."""
        return self.model.num_rows

    def slice(self, start: int, stop: int) -> Rows:
        """Take some of them, from `start` up to `stop`."""
        count = stop - start
        kept = None if self.kept is None else self.kept.slice(start, count)
        return replace(self, first=self.first + start, model=self.model.slice(start, count), kept=kept)


def rows(
    store: ObjectStore, plan: Plan, aside: Quarantine | None = None, progress: Progress | None = None
) -> Iterator[Rows]:
    """Yield all rows in order, those that cannot be prepared set aside; none behind them once that are too many.

    InvalidData names the object, the row and the column of what cannot be prepared if nothing is set aside, and what of
    an object cannot be read at all.
    """
    quarantine = refusing(plan.request) if aside is None else aside
    held: Rows | None = None
    for part in _parts(store, plan, quarantine, progress):
        if held is not None:
            yield held
        # What is set aside between rows belongs to those behind it.
        held = replace(part, begin=0 if held is None else held.end)
    if held is not None:
        yield replace(held, end=plan.size)


def _parts(store: ObjectStore, plan: Plan, aside: Quarantine, progress: Progress | None) -> Iterator[Rows]:
    before = 0
    tables: tuple[Table, ...] = plan.tables if plan.query is None else (plan.query,)
    for table in tables:
        size = table.stored.size if isinstance(table, SourceTable) else table.size
        about = plan.about(table)
        for chunk in _read(store, plan, table, aside):
            part = _prepared(chunk, plan, table.name, about, aside)
            if aside.is_full:
                return
            end = before + min(chunk.end, size)
            if part is not None:
                yield replace(part, end=end)
            if progress:
                progress(end, plan.size)
        before += size


# --------------------------------------------------------------------------------------------- one object's chunks


def _read(store: ObjectStore, plan: Plan, table: Table, aside: Quarantine) -> Iterator[Chunk]:
    """Yield the columns that are needed, and more where that costs little and records may have to be shown."""
    if not isinstance(table, SourceTable):
        yield from table.chunks()
        return
    needed = [own_name(name, plan.request) for name in plan.names]
    wanted = table.schema.names if aside.is_open and table.format == "csv" else needed
    schema = pa.schema([table.schema.field(name) for name in wanted])
    try:
        yield from READERS[table.format].chunks(store, table.how, schema, aside.most)
    except MalformedRecord as error:
        raise InvalidData("prepare", (Problem("source", table.name, error.detail, _MEND),)) from error
    if store.stat(table.stored.uri).etag != table.stored.etag:
        # Damaged objects are read twice: rows may be those of two versions.
        rule, remedy = "has changed since it was listed", "Prepare it again."
        raise InvalidData("prepare", (Problem("source", table.name, rule, remedy),))


def _prepared(chunk: Chunk, plan: Plan, source: str, about: Sequence[Column], aside: Quarantine) -> Rows | None:
    """Convert the rows of a chunk, and set aside those that are damaged or do not fit; None if no other is left."""
    batch, unfit = converted(_named(chunk.batch, plan), about, aside.most)
    model, kept = batch.select(list(plan.columns)), batch.select(plan.kept.names) if plan.kept.names else None
    if aside.is_open:
        # Otherwise they are found when they are written, which is faster.
        unfit += plan.form.unfit(model)
    aside.add(_in_order(source, chunk, unfit, plan.names))
    out = {found.row for found in unfit}
    numbers: Sequence[int] = (
        [number for row, number in enumerate(chunk.numbers) if row not in out] if out else chunk.numbers
    )
    if not numbers:
        return None
    if out:
        model, kept = _without(model, out), None if kept is None else _without(kept, out)
    return Rows(source, numbers[0], model, kept, 0, 0)


def _named(batch: pa.RecordBatch, plan: Plan) -> pa.RecordBatch:
    """Take the columns that are needed, by their new names."""
    return batch.select([own_name(name, plan.request) for name in plan.names]).rename_columns(list(plan.names))


def _without(batch: pa.RecordBatch, out: set[int]) -> pa.RecordBatch:
    left = [row for row in range(batch.num_rows) if row not in out]
    return batch.take(pa.array(left, pa.int64()))


# ----------------------------------------------------------------------------------------- what cannot be prepared


def _in_order(source: str, chunk: Chunk, unfit: Sequence[Unfit], names: Sequence[str]) -> Iterator[Unprepared]:
    """Tell of each row once, by the first of its columns that is wrong."""
    if not unfit and not chunk.damaged:
        return
    place = {name: at for at, name in enumerate(names)}
    first: dict[int, Unfit] = {}
    for found in sorted(unfit, key=lambda found: place[found.column]):
        first.setdefault(found.row, found)
    misfits = (
        (chunk.numbers[row], _misfit(source, chunk.numbers[row], found, chunk.written(row)))
        for row, found in first.items()
    )
    damages = ((damage.record, _damage(source, damage)) for damage in chunk.damaged)
    yield from (told for _, told in sorted(chain(misfits, damages), key=lambda pair: (pair[0] is None, pair[0] or 0)))


def _misfit(source: str, row: int, found: Unfit, text: str | None) -> Unprepared:
    return Unprepared(
        source=source, row=row, column=found.column, value=found.value, rule=found.rule, remedy=found.remedy,
        record=text,
    )  # fmt: skip


def _damage(source: str, damage: Damage) -> Unprepared:
    return Unprepared(
        source=source, row=damage.record, column=damage.column, value=damage.value, rule=damage.rule, remedy=_MEND,
        record=damage.text,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- the model's lines


def lines(form: Form, part: Rows) -> pa.Buffer:
    """Write the model's columns, a line for each row; InvalidData names what its form does not take."""
    text = form.lines(part.model)
    if text is not None:
        return text
    raise InvalidData(
        "prepare",
        tuple(
            _misfit(part.uri, part.first + found.row, found, None).problem
            for found in islice(form.unfit(part.model), MOST)
        ),
    )
