"""Golden cases of answers, as containers and SageMaker's own joins write them: what is read, or why it is refused."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from airflow_batchtx.association.narrowing import held, narrowest
from airflow_batchtx.association.pairing import by_name
from airflow_batchtx.association.reading import answered, planned
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import AmbiguousAnswer, AssociationError, BatchTransformError
from airflow_batchtx.records import recordio
from airflow_batchtx.records.tfrecord import masked_crc32c
from tests.fakes import InMemoryStore
from tests.golden_cases import as_bytes, cases

JOB = (
    "content_type", "accept", "split_type", "compression_type", "join_source", "input_filter", "output_filter",
)  # fmt: skip


def framed(payloads: Sequence[Any]) -> bytes:
    found = b""
    for payload in map(as_bytes, payloads):
        found += recordio.MAGIC.to_bytes(4, "little") + len(payload).to_bytes(4, "little")
        found += payload + bytes(-len(payload) % 4)
    return found


def tf_framed(payloads: Sequence[Any]) -> bytes:
    found = b""
    for payload in map(as_bytes, payloads):
        size = len(payload).to_bytes(8, "little")
        found += (
            size + masked_crc32c(size).to_bytes(4, "little") + payload + masked_crc32c(payload).to_bytes(4, "little")
        )
    return found


def body(written: Any) -> bytes:
    if isinstance(written, dict) and "recordio" in written:
        return framed(written["recordio"])
    if isinstance(written, dict) and "tfrecord" in written:
        return tf_framed(written["tfrecord"])
    return as_bytes(written)


def bodies(written: Any) -> list[bytes]:
    return [body(one) for one in (written if isinstance(written, list) else [written])]


def stored(case: Mapping[str, Any]) -> InMemoryStore:
    store = InMemoryStore(buckets=["b"])
    for name, sent, told in zip("abc", bodies(case["input"]), bodies(case["answers"]), strict=False):
        store.bodies |= InMemoryStore({f"s3://b/in/{name}": sent, f"s3://b/out/{name}.out": told}).bodies
    return store


def table(store: InMemoryStore, request: AssociateRequest) -> dict[str, list[Any]]:
    """Read everything, each column in its narrowest type."""
    pairs = by_name(store, request.result, None)
    reading = pickle.loads(pickle.dumps(planned(store, request, pairs)))
    columns: dict[str, list[pa.Array]] = {}
    for pair in pairs:
        for joined in answered(store, pair, reading):
            assert joined.answers.schema.names[: len(reading.columns)] == list(reading.columns)
            assert joined.known.schema.names == reading.known.names
            assert joined.known.num_rows == joined.answers.num_rows
            for batch in (joined.known, joined.answers):
                for name in batch.schema.names:
                    columns.setdefault(name, []).append(batch.column(name))
    return {
        name: typed(found, reading.columns.get(name), name in reading.known.names) for name, found in columns.items()
    }


def typed(found: list[Any], kind: str | None, known: bool) -> list[Any]:
    if known:
        return [value for column in found for value in column.to_pylist()]
    kind = kind or "int64"
    while any(held(column, kind) is None for column in found):
        kind = next(narrowest(column, kind) for column in found if held(column, kind) is None)
    return [value for column in found for value in held(column, kind).to_pylist()]


def expected(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if not isinstance(value, dict):
            yield value
        else:
            yield float(value["float"]) if "float" in value else as_bytes(value)


def request_of(case: Mapping[str, Any]) -> AssociateRequest:
    result = {"job_name": "j", "status": "Completed", "input": "s3://b/in/", "output": "s3://b/out/", "created": ""}
    result |= {name: case[name] for name in JOB if name in case}
    return AssociateRequest.read({"result": result, "output": "s3://b/scored/"} | case.get("options", {}))


CASES = list(cases("answers"))


@pytest.mark.parametrize("case", [case for case in CASES if "columns" in case], ids=lambda case: case["name"])
def test_answers_are_read(case: dict[str, Any]) -> None:
    found = table(stored(case), request_of(case))

    wanted = {name: list(expected(values)) for name, values in case["columns"].items()}
    assert {name: found[name] for name in wanted} == wanted
    assert set(found) == set(wanted) or not case.get("all_columns")
    assert set(found) - set(wanted) <= {"input_object", "record"}


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=lambda case: case["name"])
def test_answers_that_prove_nothing_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(BatchTransformError) as caught:
        table(stored(case), request_of(case))

    error = pickle.loads(pickle.dumps(caught.value))
    assert type(error).__name__ == case["error"]
    if isinstance(error, AmbiguousAnswer):
        assert list(error.readings) == case["readings"]
    if isinstance(error, AssociationError) and "record" in case:
        assert error.record == case["record"]
