from __future__ import annotations

import gzip
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from airflow_batchtx.engine.instance import transform_all
from airflow_batchtx.engine.order import EventKind, Terms, terms
from airflow_batchtx.engine.transforming import Transformer
from airflow_batchtx.engine.window import LOOK, Budget, Lane
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
    with closing(Lane(2, Budget(3 * MIB), threading.Event())) as lane:
        yield lane


def transformer(
    store: InMemoryStore, model: ScriptedModel, lane: Lane, request: Mapping[str, Any] = LINES, **settings: Any
) -> Transformer:
    effective = replace(Settings(2, 1, BatchStrategy.MULTI_RECORD), **settings)
    agreed: Terms = terms(request, started=0)
    return Transformer(store, model, agreed, effective, lane)  # type: ignore[arg-type]  # a fake client


def silent(_kind: EventKind, _text: str) -> None:
    """Tell nobody."""


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


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


def test_whatever_waits_for_the_model_does_not_hold_up_a_stop(lane: Lane) -> None:
    store = InMemoryStore({"s3://b/in/slow": b"slow"})
    asked, never = threading.Event(), threading.Event()

    def answer(body: bytes) -> bytes:
        asked.set()
        never.wait(30)
        return body

    def stop() -> None:
        asked.wait(10)
        lane.stopping.set()

    threading.Thread(target=stop).start()
    with pytest.raises(TransformStopped):
        transform_all(
            (transfer(store, "slow"),), transformer(store, ScriptedModel(answer), lane).transform, silent, lane
        )

    assert lane.asking == 1
    never.set()
    assert eventually(lambda: lane.asking == 0)
    assert list(store.bodies) == [S3Uri("b", "in/slow")]


def test_a_stop_waits_for_what_an_object_has_begun_to_write(lane: Lane) -> None:
    aborted = threading.Event()

    def transform(_: Transfer) -> None:
        lane.stopping.set()
        time.sleep(3 * LOOK)
        aborted.set()

    with pytest.raises(TransformStopped):
        transform_all((transfer(InMemoryStore(), "a"),), transform, silent, lane)

    assert aborted.is_set()


ROWS = b"1\n" * (MIB // 2)


@pytest.mark.parametrize(
    ("body", "source", "strategy", "alone"),
    [
        pytest.param(ROWS, {}, BatchStrategy.MULTI_RECORD, True, id="None"),
        pytest.param(ROWS, {"SplitType": "Line"}, BatchStrategy.MULTI_RECORD, True, id="Line that fits"),
        pytest.param(ROWS + b"1", {"SplitType": "Line"}, BatchStrategy.MULTI_RECORD, False, id="Line that does not"),
        pytest.param(b"1\n2", {"SplitType": "Line"}, BatchStrategy.SINGLE_RECORD, False, id="SingleRecord"),
        pytest.param(
            gzip.compress(ROWS * 3),
            {"SplitType": "Line", "CompressionType": "Gzip"},
            BatchStrategy.MULTI_RECORD,
            False,
            id="Gzip",
        ),
    ],
)
def test_only_an_object_of_one_payload_is_asked_for_in_its_own_thread(
    lane: Lane, body: bytes, source: Mapping[str, Any], strategy: BatchStrategy, alone: bool
) -> None:
    threads = set[int]()

    def answer(body: bytes) -> bytes:
        threads.add(threading.get_ident())
        return body

    store, request = InMemoryStore({"s3://b/in/a": body}), {"TransformInput": source, "TransformOutput": {}}
    transform = transformer(store, ScriptedModel(answer), lane, request, batch_strategy=strategy).transform
    transform(transfer(store, "a"))

    assert (threads == {threading.get_ident()}) is alone
    assert alone or threading.get_ident() not in threads


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
