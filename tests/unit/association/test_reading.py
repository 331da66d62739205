"""Golden cases of answers, as containers and SageMaker's own joins write them: what is read, or why it is refused."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from airflow_batchtx.association import json_answers
from airflow_batchtx.association.narrowing import held, narrowest
from airflow_batchtx.association.pairing import by_name
from airflow_batchtx.association.reading import answered, planned
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import AmbiguousAnswer, AssociationError, BatchTransformError, InvalidInput, KeyMismatch
from airflow_batchtx.records import recordio
from airflow_batchtx.records.tfrecord import masked_crc32c
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore
from tests.golden_cases import as_bytes, cases

JOB = (
    "content_type", "accept", "split_type", "compression_type", "join_source", "output_filter",
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


def request_of(case: Mapping[str, Any], **told: str) -> AssociateRequest:
    result = {"job_name": "j", "status": "Completed", "input": "s3://b/in/", "output": "s3://b/out/", "created": ""}
    result |= {name: case[name] for name in JOB if name in case} | told
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
    if isinstance(error, KeyMismatch):
        assert error.key == case["key"]
    if isinstance(error, AssociationError) and "record" in case:
        assert error.record == case["record"]


# ----------------------------------------------------------------------------------------------- more than one batch


def scored(lines: int, *, shift: int = 0, drop: int | None = None) -> tuple[InMemoryStore, AssociateRequest]:
    """A large object of CSV whose answers carry the key; `shift` moves the last so many to the front of their half."""
    rows = [f"key {number:07},{number % 97}" for number in range(lines)]
    told = [f"key {number:07},{number}" for number in range(lines)]
    half = lines // 2
    told = told[:half] + told[lines - shift :] + told[half : lines - shift]
    if drop is not None:
        del told[drop]
    store = InMemoryStore(
        {"s3://b/in/a": "\n".join(rows).encode(), "s3://b/out/a.out": "\n".join(told).encode() + b"\n"}
    )
    options = {"key": "id", "input_columns": ["id", "x"], "predictions": ["id", "score"]}
    return store, request_of({"content_type": "text/csv", "accept": "text/csv", "options": options})


@pytest.mark.parametrize("shift", [0, 1, 60_000])
def test_answers_of_any_order_find_their_rows(shift: int) -> None:
    found = table(*scored(300_000, shift=shift))

    assert found["score"] == list(range(300_000))
    assert found["id"][-1] == "key 0299999"


@pytest.mark.parametrize(("shift", "drop"), [(0, 299_999), (0, 3), (5, 299_999), (5, 100)])
def test_a_key_that_is_missing_among_many_is_named(shift: int, drop: int) -> None:
    store, request = scored(300_000, shift=shift, drop=drop)
    missing = drop if drop < 150_000 else drop - shift

    with pytest.raises(KeyMismatch) as caught:
        table(store, request)

    assert caught.value.key == f"key {missing:07}"


def test_no_thread_reads_on_where_one_side_cannot_be_read() -> None:
    store, request = scored(300_000)
    told = store.get(S3Uri("b", "out/a.out")).replace(b"key 0100000,", b"key 0100000,,")
    store.bodies |= InMemoryStore({"s3://b/out/a.out": told}).bodies

    with pytest.raises(BatchTransformError) as held_on_to:
        table(store, request)

    assert held_on_to.value
    assert not [one.name for one in threading.enumerate() if one.name.startswith("advance")]


def test_members_that_mark_refused_records_stand_behind_the_columns() -> None:
    told = b'{"score":1}\n{"error":"bad","at":[1]}\n{"score":2,"error":null}\n'
    store = InMemoryStore({"s3://b/in/a": b"1\n2\n3\n", "s3://b/out/a.out": told})
    for predictions in (None, ["score"]):
        options = {"predictions": predictions}
        request = request_of({"accept": "application/jsonlines", "options": options})
        pairs = by_name(store, request.result, None)

        reading = planned(store, request, pairs, ("error",))
        (joined,) = answered(store, pairs[0], reading)

        assert next(iter(reading.columns)) == "score"
        assert joined.answers.schema.names == [*reading.columns, "error"]
        assert joined.answers.column("error").to_pylist() == [None, "bad", None]
        assert joined.answers.column("score").to_pylist() == ["1", None, "2"]


def test_a_manifest_names_what_was_read() -> None:
    objects = {
        "s3://b/m.json": b'[{"prefix":"s3://b/raw/"},"x/1.csv","2.csv"]',
        "s3://b/raw/x/1.csv": b"1\n", "s3://b/raw/2.csv": b"2\n3\n", "s3://b/raw/3.csv": b"4\n",
        "s3://b/out/x/1.csv.out": b"7\n", "s3://b/out/2.csv.out": b"8\n9\n",
    }  # fmt: skip
    request = request_of({"split_type": "Line"}, input="s3://b/m.json", s3_data_type="ManifestFile")

    found = table(InMemoryStore(objects), request)

    assert found["prediction"] == [8, 9, 7]
    assert found["input_object"] == ["s3://b/raw/2.csv"] * 2 + ["s3://b/raw/x/1.csv"]
    with pytest.raises(AssociationError, match="JSON list"):
        table(InMemoryStore(objects | {"s3://b/m.json": b"{}"}), request)
    with pytest.raises(AssociationError, match="are gone: s3"):
        table(InMemoryStore({uri: body for uri, body in objects.items() if uri != "s3://b/raw/2.csv"}), request)


def test_a_part_of_json_is_none_of_csv() -> None:
    with pytest.raises(InvalidInput) as caught:
        table(
            InMemoryStore({"s3://b/in/1": b"1\n", "s3://b/out/1.out": b"1\n"}), request_of({"options": {"answer": "a"}})
        )
    assert [problem.field for problem in caught.value.problems] == ["answer"]


def test_members_without_end_have_to_be_named() -> None:
    told = "".join(f'{{"customer {number}": {number}}}\n' for number in range(json_answers.MOST + 1))
    store = InMemoryStore({"s3://b/in/a": b"1\n" * told.count("\n"), "s3://b/out/a.out": told.encode()})

    with pytest.raises(InvalidInput, match="must be named"):
        table(store, request_of({"accept": "application/jsonlines"}))


def test_a_type_that_arrow_does_not_have_is_refused() -> None:
    store = InMemoryStore({"s3://b/in/a": b"1\n", "s3://b/out/a.out": b"1\n"})

    with pytest.raises(InvalidInput, match="none of the types"):
        table(store, request_of({"options": {"predictions": {"p": "decimal128(99, 2)"}}}))
