"""Shards as objects: the lines for the model, and the kept columns of the same rows in an object beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import groupby
from operator import itemgetter

import pyarrow as pa

from airflow_batchtx.preparation.cutting import Piece
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.manifest import Shard
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.tables.parquet import ParquetSink
from airflow_batchtx.storage.tables.streams import DigestWriter

CONTENT_TYPE = "text/csv"


def write_shards(
    store: ObjectStore, request: PrepareRequest, kept: pa.Schema, pieces: Iterable[tuple[int, Piece]]
) -> Iterator[Shard]:
    """Write one shard after the other, and tell of each when it is whole."""
    for number, same in groupby(pieces, key=itemgetter(0)):
        place = request.kept / f"part-{number:05d}.parquet" if kept.names else None
        yield _write(store, request.shards / f"part-{number:05d}.csv", place, kept, (piece for _, piece in same))


def _write(store: ObjectStore, uri: S3Uri, beside: S3Uri | None, kept: pa.Schema, pieces: Iterable[Piece]) -> Shard:
    rows = 0
    with ExitStack() as stack:
        shard = DigestWriter(stack.enter_context(store.writer(uri, content_type=CONTENT_TYPE)))
        sink = None
        if beside is not None:
            target = DigestWriter(stack.enter_context(store.writer(beside)))
            sink = stack.enter_context(closing(ParquetSink(target, kept)))
        for piece in pieces:
            shard.write(piece.lines)
            if sink and piece.kept is not None:
                sink.write(piece.kept)
            rows += piece.rows
    place = None if beside is None else str(beside)
    return Shard(uri=str(uri), rows=rows, bytes=shard.size, sha256=shard.sha256, kept=place)
