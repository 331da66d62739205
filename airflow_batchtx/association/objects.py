"""The objects that a job read and wrote, opened: plain bytes, and how many records they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.errors import AssociationError, MalformedRecord
from airflow_batchtx.records.batching import Readable
from airflow_batchtx.records.compression import Gunzipped
from airflow_batchtx.records.framing import payloads
from airflow_batchtx.spec.enums import BatchStrategy, CompressionType, SplitType
from airflow_batchtx.spec.media import media_type
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

# Bytes of input read at once to count its lines.
CHUNK = 4 * 1024 * 1024
CSV, JSON, JSON_LINES, RECORD_IO = (
    "text/csv",
    "application/json",
    "application/jsonlines",
    "application/x-recordio-protobuf",
)
# Types whose records are lines, whether SageMaker is to cut at them or not.
_OF_LINES = frozenset({"", CSV, JSON_LINES})
ALIASES: Mapping[str, str] = {
    "application/x-jsonlines": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/x-ndjson": JSON_LINES,
    "application/x-recordio": RECORD_IO,
}


def kind_of(text: str | None) -> str:
    """Give a media type without its parameters, and by its usual name."""
    found = media_type(text)
    return ALIASES.get(found, found)


@dataclass(frozen=True, slots=True)
class Inputs:
    """How a job's input objects hold their records."""

    content_type: str
    split_type: SplitType
    gzip: bool

    @classmethod
    def of(cls, result: TransformResult) -> Inputs:
        """Read it from what a job says; where it does not say how it is cut, records are lines."""
        kind = kind_of(result.content_type)
        said = SplitType(result.split_type) if result.split_type else SplitType.LINE
        cut = SplitType.LINE if said is SplitType.NONE and kind in _OF_LINES else said
        return cls(kind, cut, result.compression_type == CompressionType.GZIP)

    @property
    def whole(self) -> bool:
        """Tell whether an object is one record."""
        return self.split_type is SplitType.NONE

    @contextmanager
    def opened(self, store: ObjectStore, uri: S3Uri) -> Iterator[Readable]:
        """Open an object, without its compression; AssociationError where that is damaged."""
        with store.reader(uri) as source:
            try:
                yield Gunzipped(source) if self.gzip else source
            except MalformedRecord as error:
                raise AssociationError(str(uri), error.detail) from error

    def count(self, store: ObjectStore, pair: Pair) -> int:
        """Count the records of an input object: prepare's count where it was prepared."""
        if pair.rows is not None:
            return pair.rows
        if self.whole:
            return 1
        with self.opened(store, pair.source) as source:
            return _COUNTS[self.split_type](source)


def _lines(source: Readable) -> int:
    """Count the lines with something on them."""
    count, rest = 0, b""
    while data := source.read(CHUNK):
        *whole, rest = (rest + data).split(b"\n")
        count += sum(map(bool, map(bytes.strip, whole)))
    return count + bool(rest.strip())


def _recordio(source: Readable) -> int:
    return sum(1 for _ in payloads(source, SplitType.RECORD_IO, BatchStrategy.SINGLE_RECORD, None))


def _tfrecord(source: Readable) -> int:
    return sum(1 for _ in payloads(source, SplitType.TF_RECORD, BatchStrategy.SINGLE_RECORD, None))


_COUNTS: Mapping[SplitType, Callable[[Readable], int]] = {
    SplitType.LINE: _lines,
    SplitType.RECORD_IO: _recordio,
    SplitType.TF_RECORD: _tfrecord,
}
