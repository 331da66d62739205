"""Shards as objects: the lines for the model, and the kept columns of the same rows in an object beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import pyarrow as pa

from airflow_batchtx.preparation.cutting import Piece
from airflow_batchtx.preparation.forms import form_of
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.manifest import Shard
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.parquet import ParquetSink
from airflow_batchtx.storage.tables.streams import DigestWriter


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a shard is written to, and the kept columns beside it, if there are any."""

    shard: S3Uri
    content_type: str
    kept: S3Uri | None
    schema: pa.Schema


def write_shards(
    store: ObjectStore, request: PrepareRequest, kept: pa.Schema, pieces: Iterable[tuple[int, Piece]]
) -> Iterator[Shard]:
    """Write one shard after the other, and tell of each when it is whole."""
    ending = form_of(request).ending
    for number, same in groupby(pieces, key=itemgetter(0)):
        shard = request.shards / f"part-{number:05d}.{ending}"
        beside = request.kept / f"part-{number:05d}.parquet" if kept.names else None
        yield _write(store, _Place(shard, request.content_type, beside, kept), (piece for _, piece in same))


def _write(store: ObjectStore, place: _Place, pieces: Iterable[Piece]) -> Shard:
    rows = 0
    with ExitStack() as stack:
        shard = DigestWriter(stack.enter_context(store.writer(place.shard, content_type=place.content_type)))
        sink = None
        if place.kept is not None:
            target = DigestWriter(stack.enter_context(store.writer(place.kept)))
            sink = stack.enter_context(closing(ParquetSink(target, place.schema)))
        for piece in pieces:
            shard.write(piece.lines)
            if sink and piece.kept is not None:
                sink.write(piece.kept)
            rows += piece.rows
    kept = None if place.kept is None else str(place.kept)
    return Shard(uri=str(place.shard), rows=rows, bytes=shard.size, sha256=shard.sha256, kept=kept)
