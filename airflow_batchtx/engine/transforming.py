"""One instance's work on its objects: read, cut, ask the model, assemble, write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from uuid import uuid4

from airflow_batchtx.engine.order import Terms
from airflow_batchtx.engine.window import Lane, in_order, one_by_one
from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.modelserver.connection import Body
from airflow_batchtx.modelserver.pipeline import Pipeline
from airflow_batchtx.planning.settings import Settings
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.records import framing
from airflow_batchtx.records.batching import UNLIMITED, Readable
from airflow_batchtx.records.compression import Gunzipped
from airflow_batchtx.records.formats import Stamp
from airflow_batchtx.records.processing import DataProcessing, Processor
from airflow_batchtx.spec.enums import BatchStrategy, CompressionType, SplitType
from airflow_batchtx.storage.port import ObjectReader, ObjectStore, ObjectWriter

# How much of an object that is streamed to the model is held at once.
PIECE = 1024 * 1024

DECOMPRESSED: Mapping[CompressionType, Callable[[Readable], Readable]] = {
    CompressionType.NONE: lambda source: source,
    CompressionType.GZIP: Gunzipped,
}


@dataclass(frozen=True, slots=True)
class Transformer:
    """Transforms objects, any number of them at once, each as a stream of its own."""

    store: ObjectStore
    model: Pipeline
    terms: Terms
    settings: Settings
    lane: Lane

    def transform(self, transfer: Transfer) -> None:
        """Write the output of one object, whole; or raise why there is none."""
        processor = self._processor()
        with self.store.reader(transfer.source) as source:
            outputs = self._outputs(transfer, source, processor)
            with self.store.writer(transfer.target, kms_key_id=self.terms.kms_key_id) as target:
                if not _written(outputs, target):
                    # A zero-byte file failed a real job; what its log said is not known.
                    raise MalformedRecord("The object holds no record")

    def _outputs(self, transfer: Transfer, source: ObjectReader, processor: Processor) -> Iterator[bytes]:
        plain = self._plain(source)
        if self._streams(processor):
            bodies, answer = self._body(transfer, plain), self._answer(transfer, processor)
            return one_by_one(bodies, answer, weight=PIECE, lane=self.lane)
        payloads, exchange = self._payloads(plain, processor), self._exchange(transfer, processor)
        asked = one_by_one if self._is_one(source.size) else in_order
        return asked(payloads, exchange, weight=self._weight(source.size), lane=self.lane)

    def _streams(self, processor: Processor) -> bool:
        """Tell whether objects go to the model unread: whole, and nothing in them is looked at."""
        whole = self.terms.split_type is SplitType.NONE or self.settings.batch_strategy is BatchStrategy.MULTI_RECORD
        return self.settings.max_payload is None and whole and not processor.reads_records

    def _is_one(self, size: int) -> bool:
        """Tell whether an object of `size` bytes is sure to be one payload at most."""
        if self.terms.split_type is SplitType.NONE:
            return True
        packed = self.settings.batch_strategy is BatchStrategy.MULTI_RECORD
        gzipped = self.terms.compression_type is CompressionType.GZIP
        return packed and not gzipped and size <= (self.settings.max_payload or UNLIMITED)

    def _plain(self, source: Readable) -> Readable:
        return DECOMPRESSED[self.terms.compression_type](source)

    def _processor(self) -> Processor:
        terms = self.terms
        processing = DataProcessing(terms.input_filter, terms.join_source, terms.output_filter)
        stamp = Stamp(lambda: str(uuid4()), terms.inference_time) if terms.inference_time else None
        return Processor(
            processing,
            content_type=terms.content_type,
            accept=terms.accept,
            assemble_with=terms.assemble_with,
            stamp=stamp,
        )

    def _payloads(self, source: Readable, processor: Processor) -> Iterator[bytes]:
        return framing.payloads(
            source,
            self.terms.split_type,
            self.settings.batch_strategy,
            self.settings.max_payload,
            blank_lines=not processor.reads_records,
        )

    def _exchange(self, transfer: Transfer, processor: Processor) -> Callable[[bytes], bytes]:
        def exchange(payload: bytes) -> bytes:
            request = processor.request(payload)
            # API reference, MaxPayloadInMB: what has no limit is "transmitted using HTTP chunked encoding".
            answer = self._ask((request,) if self.settings.max_payload is None else request, transfer)
            return processor.output(payload, answer)

        return exchange

    def _answer(self, transfer: Transfer, processor: Processor) -> Callable[[Body], bytes]:
        return lambda body: processor.output(b"", self._ask(body, transfer))

    def _ask(self, body: Body, transfer: Transfer) -> bytes:
        return self.model.invoke(
            body,
            content_type=self.terms.content_type,
            accept=self.terms.accept,
            source_object=transfer.source,
        )

    def _body(self, transfer: Transfer, plain: Readable) -> Iterator[Body]:
        """Give the object's one body; none where the object is empty."""
        if head := plain.read(PIECE):
            yield _Stream(chain((head,), _pieces(plain)), self._anew(transfer))

    def _anew(self, transfer: Transfer) -> Callable[[], Iterator[bytes]]:
        def pieces() -> Iterator[bytes]:
            with self.store.reader(transfer.source) as source:
                yield from _pieces(self._plain(source))

        return pieces

    def _weight(self, size: int) -> int:
        """Give the most bytes that a payload of an object of `size` bytes has, unless one record has more by itself."""
        limit, gzipped = self.settings.max_payload, self.terms.compression_type is CompressionType.GZIP
        if limit is None and self.terms.split_type is SplitType.NONE:
            # What a compressed object holds is known only at its end.
            return self.lane.budget.size if gzipped else size
        most = limit or UNLIMITED
        return most if gzipped else min(most, size)


class _Stream:
    """An object as the body of a request: its bytes as they come, `anew` for each further call."""

    def __init__(self, first: Iterator[bytes], anew: Callable[[], Iterator[bytes]]) -> None:
        self._first: Iterator[bytes] | None = first
        self._anew = anew

    def __iter__(self) -> Iterator[bytes]:
        first, self._first = self._first, None
        return self._anew() if first is None else first


def _pieces(source: Readable) -> Iterator[bytes]:
    return iter(lambda: source.read(PIECE), b"")


def _written(outputs: Iterable[bytes], target: ObjectWriter) -> int:
    """Write all outputs and count them."""
    count = 0
    for output in outputs:
        target.write(output)
        count += 1
    return count
