"""One instance's work on its objects: read, cut, ask the model, assemble, write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from airflow_batchtx.engine.order import Terms
from airflow_batchtx.engine.window import Lane, in_order
from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.modelserver.client import ModelClient
from airflow_batchtx.planning.settings import Settings
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.records import framing
from airflow_batchtx.records.batching import Readable
from airflow_batchtx.records.compression import Gunzipped
from airflow_batchtx.records.processing import DataProcessing, Processor
from airflow_batchtx.spec.enums import CompressionType
from airflow_batchtx.storage.port import ObjectStore, ObjectWriter

DECOMPRESSED: Mapping[CompressionType, Callable[[Readable], Readable]] = {
    CompressionType.NONE: lambda source: source,
    CompressionType.GZIP: Gunzipped,
}


@dataclass(frozen=True, slots=True)
class Transformer:
    """Transforms objects, any number of them at once, each as a stream of its own."""

    store: ObjectStore
    client: ModelClient
    terms: Terms
    settings: Settings
    lane: Lane

    def transform(self, transfer: Transfer) -> None:
        """Write the output of one object, whole; or raise why there is none."""
        processor = self._processor()
        with self.store.reader(transfer.source) as source:
            payloads = self._payloads(DECOMPRESSED[self.terms.compression_type](source), processor)
            outputs = in_order(
                payloads, self._exchange(transfer, processor), weight=self._weight(transfer), lane=self.lane
            )
            with self.store.writer(transfer.target, kms_key_id=self.terms.kms_key_id) as target:
                if not _written(outputs, target):
                    # A zero-byte file failed a real job; what its log said is not known.
                    raise MalformedRecord("The object holds no record")

    def _processor(self) -> Processor:
        terms = self.terms
        processing = DataProcessing(terms.input_filter, terms.join_source, terms.output_filter)
        return Processor(
            processing, content_type=terms.content_type, accept=terms.accept, assemble_with=terms.assemble_with
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
            answer = self.client.invoke(
                processor.request(payload),
                content_type=self.terms.content_type,
                accept=self.terms.accept,
                source_object=transfer.source,
            )
            return processor.output(payload, answer)

        return exchange

    def _weight(self, transfer: Transfer) -> int:
        """Give the most bytes that a payload of this object can have."""
        limit = self.settings.max_payload
        if self.terms.compression_type is CompressionType.NONE:
            return transfer.size if limit is None else min(limit, transfer.size)
        # What a compressed object holds is known only at its end.
        return self.lane.budget.size if limit is None else limit


def _written(outputs: Iterable[bytes], target: ObjectWriter) -> int:
    """Write all outputs and count them."""
    count = 0
    for output in outputs:
        target.write(output)
        count += 1
    return count
