"""Input objects into payloads: one table of how each SplitType cuts under each BatchStrategy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from airflow_batchtx.records import lines, recordio, tfrecord
from airflow_batchtx.records.batching import Framing, Readable, packed, read_all, single, too_large
from airflow_batchtx.spec.enums import BatchStrategy, SplitType

_FRAMINGS: Mapping[SplitType, Framing] = {
    SplitType.LINE: lines.FRAMING,
    SplitType.RECORD_IO: recordio.FRAMING,
    SplitType.TF_RECORD: tfrecord.FRAMING,
}
_BATCHES: Mapping[BatchStrategy, Callable[[Readable, Framing, int | None], Iterator[bytes]]] = {
    BatchStrategy.MULTI_RECORD: packed,
    BatchStrategy.SINGLE_RECORD: single,
}


def payloads(
    source: Readable,
    split_type: SplitType,
    strategy: BatchStrategy,
    limit: int | None,
    *,
    blank_lines: bool = True,
) -> Iterator[bytes]:
    """Cut an object into the payloads of its requests, each of at most `limit` bytes (None: no limit).

    SplitType None makes one payload of it all, whatever the strategy. MultiRecord packs whole records as they are;
    SingleRecord sends each without its newline, its RecordIO or its TFRecord framing. `blank_lines=False` leaves out
    what would hold only blank lines, which is for jobs that read records (`Processor.reads_records`). An empty object
    has no payload.

    Raises RecordTooLarge and MalformedRecord, after the payloads before the culprit have been given.
    """
    split_type, strategy = SplitType(split_type), BatchStrategy(strategy)
    if split_type is SplitType.NONE:
        return _whole(source, limit)
    found = _BATCHES[strategy](source, _FRAMINGS[split_type], limit)
    if split_type is SplitType.LINE and not blank_lines:
        return (payload for payload in found if not lines.is_blank(payload))
    return found


def _whole(source: Readable, limit: int | None) -> Iterator[bytes]:
    # Reading stops one byte past the limit: an object that cannot be sent is not held either.
    everything = read_all(source) if limit is None else _at_most(source, limit + 1)
    if limit is not None and len(everything) > limit:
        raise too_large(0, len(everything), limit)
    if everything:
        yield everything


def _at_most(source: Readable, size: int) -> bytes:
    parts, missing = [], size
    while missing > 0 and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
