from __future__ import annotations

import gzip
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from airflow_batchtx.engine.instance import transform_all
from airflow_batchtx.engine.order import EventKind, Terms, terms
from airflow_batchtx.engine.transforming import Transformer
from airflow_batchtx.engine.window import Budget, Lane
from airflow_batchtx.errors import MalformedRecord, ModelFailed, ModelRefused, TransformStopped
from airflow_batchtx.planning.settings import MIB, Settings
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.enums import BatchStrategy
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore, OpenObject

LINES = {
    "TransformInput": {"ContentType": "text/csv", "SplitType": "Line"},
    "TransformOutput": {"AssembleWith": "Line"},
}


class ScriptedModel:
    """Answers as a function says; what it was sent is kept."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer, self.sent = answer, []

    def invoke(self, body: bytes, **headers: Any) -> bytes:
        self.sent.append((body, headers))
        return self.answer(body)


@pytest.fixture
def lane() -> Iterator[Lane]:
    with ThreadPoolExecutor(2) as pool:
        yield Lane(pool, 2, Budget(3 * MIB), threading.Event())


def transformer(
    store: InMemoryStore, model: ScriptedModel, lane: Lane, request: Mapping[str, Any] = LINES, **settings: Any
) -> Transformer:
    effective = replace(Settings(2, 1, BatchStrategy.MULTI_RECORD), **settings)
    agreed: Terms = terms(request, started=0)
    return Transformer(store, model, agreed, effective, lane)  # type: ignore[arg-type]  # a fake client


def transfer(store: InMemoryStore, key: str) -> Transfer:
    return Transfer(S3Uri("b", f"in/{key}"), S3Uri("b", f"out/{key}.out"))


def test_an_object_goes_through_the_model(lane: Lane) -> None:
    store, model = InMemoryStore({"s3://b/in/a": b"1\n2\n"}), ScriptedModel(bytes.upper)
    request = {**LINES, "TransformOutput": {"AssembleWith": "Line", "Accept": "text/csv", "KmsKeyId": "key"}}

    transformer(store, model, lane, request).transform(transfer(store, "a"))

    target = S3Uri("b", "out/a.out")
    assert store.bodies[target] == b"1\n2\n"
    assert store.kms_key_ids[target] == "key"
    ((body, headers),) = model.sent
    assert body == b"1\n2\n"
    assert headers == {"content_type": "text/csv", "accept": "text/csv", "source_object": S3Uri("b", "in/a")}


def test_single_records_are_sent_singly(lane: Lane) -> None:
    store, model = InMemoryStore({"s3://b/in/a": b"1\n2"}), ScriptedModel(lambda body: body * 2)

    transformer(store, model, lane, batch_strategy=BatchStrategy.SINGLE_RECORD).transform(transfer(store, "a"))

    assert store.bodies[S3Uri("b", "out/a.out")] == b"11\n22\n"
    assert sorted(body for body, _ in model.sent) == [b"1", b"2"]


def test_every_object_is_tried_and_each_failure_told(lane: Lane) -> None:
    store = InMemoryStore(
        {f"s3://b/in/{key}": key.encode() for key in ("good", "bad", "worse", "fine")} | {"s3://b/in/empty": b""}
    )
    errors = {b"bad": ModelRefused("ClientError: 400", 400, "why\nnot"), b"worse": ModelFailed("no answer")}

    def answer(body: bytes) -> bytes:
        if body in errors:
            raise errors[body]
        return body

    told: list[tuple[EventKind, str]] = []
    todo = tuple(transfer(store, key) for key in ("bad", "empty", "fine", "good", "worse"))
    transform = transformer(store, ScriptedModel(answer), lane).transform
    transform_all(todo, transform, lambda kind, text: told.append((kind, text)), lane)

    assert sorted(uri.key for uri in store.bodies if uri.key.startswith("out/")) == ["out/fine.out", "out/good.out"]
    assert sorted(text for kind, text in told if kind is EventKind.FAILED) == [
        "AlgorithmError: See job logs for more information",
        "ClientError: See job logs for more information",
        "ClientError: See job logs for more information",
    ]
    log = [text for kind, text in told if kind is EventKind.DATA_LOG]
    assert log.count("b/in/bad: Message:") == 1
    assert {"b/in/bad: ClientError: 400", "b/in/bad: not", "b/in/worse: no answer"} <= set(log)


def test_the_sign_to_stop_leaves_objects_untried(lane: Lane) -> None:
    store = InMemoryStore({f"s3://b/in/{key}": b"x" for key in "abcdefghijklmnopqrstuvwxyz"})
    told: list[str] = []

    def answer(body: bytes) -> bytes:
        lane.stopping.set()
        return body

    model = ScriptedModel(answer)
    todo = tuple(transfer(store, uri.key.removeprefix("in/")) for uri in list(store.bodies))
    with pytest.raises(TransformStopped):
        transform_all(todo, transformer(store, model, lane).transform, lambda _, text: told.append(text), lane)

    assert len(model.sent) < len(todo)
    assert told == []


class Watched(InMemoryStore):
    """A store that tells how far its one open object was read, and how often it was opened."""

    position, opened = 0, 0

    @contextmanager
    def reader(self, uri: S3Uri) -> Iterator[OpenObject]:
        self.opened += 1
        with super().reader(uri) as source:
            read = source.read

            def told(size: int = -1) -> bytes:
                found = read(size)
                self.position = source.tell()
                return found

            source.read = told  # type: ignore[method-assign]
            yield source


@pytest.mark.parametrize("request_", [{"TransformInput": {}, "TransformOutput": {}}, LINES], ids=["None", "Line"])
def test_without_a_limit_an_object_is_read_no_faster_than_it_is_sent(lane: Lane, request_: Mapping[str, Any]) -> None:
    whole = bytes(range(256)) * 40_000
    store = Watched({"s3://b/in/a": whole})
    ahead: list[int] = []

    def answer(body: Iterable[bytes]) -> bytes:
        for _ in range(2):  # as a client does that has to send it again
            taken = b""
            for piece in body:
                taken += piece
                ahead.append(store.position - len(taken))
            assert taken == whole
        return b"done\n"

    transformer(store, ScriptedModel(answer), lane, request_, max_payload_in_mb=0).transform(transfer(store, "a"))

    assert store.bodies[S3Uri("b", "out/a.out")] == b"done\n"
    assert max(ahead) <= MIB
    assert store.opened == 2


def test_an_object_that_breaks_while_it_is_streamed_fails(lane: Lane) -> None:
    store = InMemoryStore({"s3://b/in/a": gzip.compress(random.Random(1).randbytes(3 * MIB))[:-9]})
    request = {"TransformInput": {"CompressionType": "Gzip"}, "TransformOutput": {}}

    with pytest.raises(MalformedRecord):
        transformer(store, ScriptedModel(b"".join), lane, request, max_payload_in_mb=0).transform(transfer(store, "a"))

    assert S3Uri("b", "out/a.out") not in store.bodies
