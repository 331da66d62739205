"""Makes one proved table of rows and predictions."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from airflow_batchtx.association.narrowing import arrow_type, first_beyond, held, narrowest
from airflow_batchtx.association.pairing import Pair, by_name, prepared
from airflow_batchtx.association.place import Place, claimed, refuse_overlaps
from airflow_batchtx.association.reading import Reading, answered, planned
from airflow_batchtx.association.recorded import by_record, recorded
from airflow_batchtx.association.request import TYPES, AssociateRequest
from airflow_batchtx.errors import InvalidInput, Problem, TypeTooNarrow, refuse
from airflow_batchtx.spec.associated import AssociatedManifest, AssociatedOutput, Part
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.csv_text import CsvSink, is_textual
from airflow_batchtx.storage.tables.parquet import ParquetSink
from airflow_batchtx.storage.tables.streams import DigestWriter

log = logging.getLogger(__name__)

SINKS: Mapping[str, type[ParquetSink | CsvSink]] = {"parquet": ParquetSink, "csv": CsvSink}


@dataclass(frozen=True, slots=True)
class Columns:
    """The table's columns: what is known of a row, and what was read beside it, with its types so far."""

    reading: Reading
    kinds: Mapping[str, str]

    @property
    def schema(self) -> pa.Schema:
        """Arrow's schema of the table."""
        read = [pa.field(name, arrow_type(kind)) for name, kind in self.kinds.items()]
        return pa.schema([pa.field(field.name, field.type) for field in self.reading.known] + read)

    @property
    def given(self) -> frozenset[str]:
        """The columns whose type the request says."""
        return frozenset(name for name, kind in self.reading.columns.items() if kind)


def associate(store: ObjectStore, request: AssociateRequest) -> AssociatedOutput:
    """Write one part for each input object, then `_manifest.json`, then `_SUCCESS`.

    Every row stands beside its own answer: the pairs are proved by the job's record, or else by name and time, and by
    count, before anything is published.
    `_SUCCESS` of an earlier run goes first, and its parts with it; after an error nothing is left. Only what an earlier
    run says that it wrote is removed: whatever else stands in the way is refused, and nothing is touched. The same rows
    and answers give the same bytes. Memory does not grow with the data.
    """
    paired = _pairs(store, request)
    columns = _columns(store, request, paired)
    place = claimed(store, request, frozenset(_part_uri(request, number) for number in range(len(paired))))
    place.announce(store)
    try:
        place.empty(store)
        table = _published(store, request, place, _written(store, request, paired, columns))
    except BaseException:
        place.leave(store)
        raise
    log.info("%d rows of %d inputs stand beside their predictions in %s", table.rows, len(paired), request.output)
    return AssociatedOutput(
        output=str(request.output),
        manifest=str(request.manifest),
        rows=table.rows,
        parts=len(table.parts),
        columns=tuple(table.columns),
        job_name=request.result.job_name,
    )


def _pairs(store: ObjectStore, request: AssociateRequest) -> tuple[Pair, ...]:
    record, manifest = recorded(store, request.result), prepared(store, request.result)
    refuse_overlaps(request, manifest, record)
    if record is None:
        return by_name(store, request.result, manifest)
    return by_record(store, request.result, record, manifest)


def _published(
    store: ObjectStore, request: AssociateRequest, place: Place, written: tuple[Columns, tuple[Part, ...]]
) -> AssociatedManifest:
    manifest = _manifest(request, *written)
    store.put(request.manifest, manifest.to_json(), content_type="application/json")
    place.end(store)
    store.put(request.success, b"")
    return manifest


# --------------------------------------------------------------------------------------------------- the columns


def _columns(store: ObjectStore, request: AssociateRequest, paired: tuple[Pair, ...]) -> Columns:
    reading = planned(store, request, paired)
    refuse(InvalidInput, "associate", _unfit(request, reading.known))
    return Columns(reading, {name: kind or TYPES[0] for name, kind in reading.columns.items()})


def _unfit(request: AssociateRequest, known: pa.Schema) -> Iterator[Problem]:
    for field in known:
        if request.format == "csv" and not is_textual(field.type):
            rule = f"is {field.type}, which no CSV cell can hold"
            yield Problem("format", field.name, rule, "Write Parquet, or do not keep the column.")


# ------------------------------------------------------------------------------------------------------ the parts


def _written(
    store: ObjectStore, request: AssociateRequest, paired: tuple[Pair, ...], columns: Columns
) -> tuple[Columns, tuple[Part, ...]]:
    """Write all parts in the narrowest types; begin again where a value turns out to need wider ones."""
    try:
        return columns, tuple(_part(store, request, number, pair, columns) for number, pair in enumerate(paired))
    except TypeTooNarrow as narrow:
        if columns.given & narrow.needed.keys():
            raise
        wider = replace(columns, kinds={**columns.kinds, **narrow.needed})
    return _written(store, request, paired, wider)


def _part(store: ObjectStore, request: AssociateRequest, number: int, pair: Pair, columns: Columns) -> Part:
    uri, rows = _part_uri(request, number), 0
    with store.writer(uri) as target:
        digest = DigestWriter(target)
        with closing(SINKS[request.format](digest, columns.schema)) as sink:
            for joined in answered(store, pair, columns.reading):
                typed = _typed(pair, rows, joined.answers, columns.kinds)
                sink.write(pa.RecordBatch.from_arrays([*joined.known.columns, *typed], schema=columns.schema))
                rows += joined.answers.num_rows
    source, output = str(pair.source), str(pair.answers.uri)
    return Part(uri=str(uri), rows=rows, bytes=digest.size, sha256=digest.sha256, input=source, output=output)


def _part_uri(request: AssociateRequest, number: int) -> S3Uri:
    return request.output / f"part-{number:05d}.{request.format}"


def _typed(pair: Pair, before: int, answers: pa.RecordBatch, kinds: Mapping[str, str]) -> list[Any]:
    columns = [held(answers.column(name), kind) for name, kind in kinds.items()]
    if all(column is not None for column in columns):
        return columns
    needed = {
        name: narrowest(answers.column(name), kind)
        for (name, kind), column in zip(kinds.items(), columns, strict=True)
        if column is None
    }
    name = next(iter(needed))
    index, value = first_beyond(answers.column(name), kinds[name])
    raise TypeTooNarrow(str(pair.answers.uri), f"{name} = {value!r} is no {kinds[name]}", before + index + 1, needed)


def _manifest(request: AssociateRequest, columns: Columns, parts: tuple[Part, ...]) -> AssociatedManifest:
    return AssociatedManifest(
        job_name=request.result.job_name,
        format=request.format,
        columns={field.name: str(field.type) for field in columns.schema},
        predictions=columns.reading.predictions,
        parts=parts,
    )
