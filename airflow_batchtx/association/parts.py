"""Writes what is to be written of one pair: its rows of the table, and its dead letters."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from airflow_batchtx.association import dead_letters, pasting
from airflow_batchtx.association.ahead import ahead
from airflow_batchtx.association.columns import Columns
from airflow_batchtx.association.dead_letters import DeadLetters
from airflow_batchtx.association.fitting import Fitted, Fitting
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.partitions import PartitionedWriter
from airflow_batchtx.association.reading import Reading, answered
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.association.table import Layout, PartWriter, TableWriter
from airflow_batchtx.spec.associated import Part
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.advance import in_advance
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.pool import lean
from airflow_batchtx.storage.tables.sinks import FORMATS

# Batches that wait to be written: while a row group is, several more are fitted.
_FITTED = 4
# Bytes of answers that are written before a thread would be worth its start: there may be thousands of such pairs.
_SMALL = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Task:
    """One pair of a job, by its number among all of them from 0, and the table that its rows belong to."""

    request: AssociateRequest
    number: int
    pair: Pair
    columns: Columns


class Written(NamedTuple):
    """The objects that hold a pair's rows, and its dead ones."""

    parts: tuple[Part, ...] = ()
    dead: tuple[Part, ...] = ()


def part_uri(request: AssociateRequest, number: int) -> S3Uri:
    """Address the part of a pair, in a table that is not parted by columns."""
    return request.output / f"{_name(number)}.{FORMATS[request.format].ending}"


def dead_uri(request: AssociateRequest, number: int) -> S3Uri:
    """Address the dead letters of a pair."""
    return request.dead_letters / f"{_name(number)}.{FORMATS[dead_letters.FORMAT].ending}"


@lean()
def write(store: ObjectStore, task: Task) -> Written:
    """Write the rows of a pair, each beside its answer, and those that have none; what is wrong with them is raised."""
    request, columns, pair = task.request, task.columns, task.pair
    layout = Layout(store, request.output, _name(task.number), request.format, pair)
    is_one = not (pair.unanswered or pair.others)
    if is_one and (pasted := pasting.pasted(request, layout, columns)):
        return Written(pasted)
    beside = Layout(store, request.dead_letters, _name(task.number), dead_letters.FORMAT, pair)
    with (
        ahead(store, pair.members) as near,
        _table(request, layout, columns) as table,
        DeadLetters(beside, columns.dead) as dead,
    ):
        for batch in dead_letters.unanswered(store, pair, columns.reading) if pair.unanswered else ():
            dead.write(batch)
        with closing(_fitted(near, task)) as fitted, closing(_ahead(fitted, pair.size)) as found:
            for rows, buried in () if pair.unanswered else found:
                table.write(rows)
                if buried is not None:
                    dead.write(buried)
    return Written(table.parts, dead.parts)


def _ahead(fitted: Generator[Fitted, None, None], size: int) -> Generator[Fitted, None, None]:
    """Read and fit while rows are written, where there are answers enough for that."""
    return in_advance(fitted, _FITTED) if size > _SMALL else fitted


def _fitted(store: ObjectStore, task: Task) -> Generator[Fitted, None, None]:
    reading = _reading(task)
    for member in task.pair.members:
        yield from map(Fitting(task.request, member, task.columns), answered(store, member, reading))


def _reading(task: Task) -> Reading:
    """Read what is known to be numbers as such, unless dead letters may have to show what was written."""
    reading, request = task.columns.reading, task.request
    is_shown = request.max_dead or request.error_member
    return reading if is_shown else reading.with_numbers(task.columns.numbers)


def _name(number: int) -> str:
    return f"part-{number:05d}"


def _table(request: AssociateRequest, layout: Layout, columns: Columns) -> TableWriter:
    if request.partition_by:
        return PartitionedWriter(layout, columns.schema, request.partition_by)
    return PartWriter(layout, columns.schema)
