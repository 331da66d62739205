from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from airflow_batchtx.association import gathering
from airflow_batchtx.association.ahead import AT_ONCE, ahead
from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.gathering import gathered
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import ObjectNotFound, TypeTooNarrow
from airflow_batchtx.spec.associated import AssociatedManifest
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject
from tests.fakes import InMemoryStore

IMAGES = replace(TransformResult.between("s3://b/in/", "s3://b/out/"), content_type="image/png", split_type="None")


def pair(number: int, size: int = 1, unanswered: str | None = None) -> Pair:
    answers = StoredObject(S3Uri("b", f"out/{number}.out"), size, "")
    return Pair(S3Uri("b", f"in/{number}"), answers, unanswered=unanswered)


def groups(*pairs: Pair, result: TransformResult = IMAGES) -> list[list[Pair]]:
    return [[replace(one, others=()) for one in found.members] for found in gathered(pairs, result)]


def test_objects_of_many_records_stand_alone() -> None:
    pairs = [pair(number) for number in range(3)]

    for lines in ({"split_type": "Line"}, {"split_type": None}, {"content_type": "text/csv"}):
        assert groups(*pairs, result=replace(IMAGES, **lines)) == [[one] for one in pairs]


def test_objects_of_one_record_make_parts_together_in_their_order() -> None:
    pairs = [pair(number) for number in range(2 * gathering.OBJECTS + 1)]

    found = groups(*pairs)

    assert [one for group in found for one in group] == pairs
    assert list(map(len, found)) == [gathering.OBJECTS, gathering.OBJECTS, 1]


def test_large_answers_stand_alone() -> None:
    half, whole = gathering.BYTES // 2, gathering.BYTES + 1
    pairs = [pair(number, size) for number, size in enumerate((half, half, 1, whole, 1))]

    assert list(map(len, groups(*pairs))) == [2, 1, 1, 1]


def test_an_object_without_an_answer_stands_alone() -> None:
    pairs = [pair(1), pair(2), pair(3, unanswered="left out"), pair(4), pair(5)]

    assert list(map(len, groups(*pairs))) == [2, 1, 2]


def test_a_thousand_images_are_one_part() -> None:
    images = {f"s3://b/in/{number:04}.png": b"\x89PNG" for number in range(1000)}
    answers = {f"s3://b/out/{number:04}.png.out": b'{"label":"x","score":%d}' % number for number in range(1000)}
    store = InMemoryStore(images | answers)
    values = {"input": "s3://b/in/", "answers": "s3://b/out/", "output": "s3://b/scored/", "format": "csv"}
    said = {"content_type": "image/png", "split_type": "None", "accept": "application/json"}

    output = associate(store, AssociateRequest.read(values | said))

    lines = store.get(S3Uri("b", "scored/part-00000.csv")).decode().splitlines()
    (part,) = AssociatedManifest.read(store.get(S3Uri.parse(output.manifest))).parts
    assert (output.rows, output.parts) == (1000, 1)
    assert (part.rows, part.inputs, part.input) == (1000, 1000, "s3://b/in/0000.png")
    assert lines[0] == "input_object,record,label,score"
    assert lines[1000] == "s3://b/in/0999.png,1,x,999"


def test_an_image_whose_answer_is_not_as_the_others_is_named() -> None:
    images = {f"s3://b/in/{number}": b"\x89PNG" for number in range(3)}
    answers = {f"s3://b/out/{number}.out": b'{"score":0.5}' for number in range(3)}
    store = InMemoryStore(images | answers | {"s3://b/out/1.out": b'{"score":"high"}'})
    values = {"input": "s3://b/in/", "answers": "s3://b/out/", "output": "s3://b/scored/"}
    values |= {"content_type": "image/png", "split_type": "None", "accept": "application/json"}
    typed: dict[str, Any] = {"predictions": {"score": "double"}}

    with pytest.raises(TypeTooNarrow) as caught:
        associate(store, AssociateRequest.read(values | typed))

    assert (caught.value.uri, caught.value.record) == ("s3://b/out/1.out", 1)


class Together(InMemoryStore):
    """A store that gives no answer to another thread before `several` are asked for."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(objects)
        self._first, self.several = threading.Lock(), threading.Event()

    def get(self, uri: S3Uri) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            if not self._first.acquire(blocking=False):
                self.several.set()
            assert self.several.wait(10)
        return super().get(uri)


@pytest.mark.parametrize("predictions", [None, {"score": "double"}], ids=str)
def test_small_answers_are_fetched_some_at_a_time(predictions: dict[str, str] | None) -> None:
    count = 4 * AT_ONCE
    images = {f"s3://b/in/{number:03}": b"\x89PNG" for number in range(count)}
    answers = {f"s3://b/out/{number:03}.out": b'{"score":%d.5}' % number for number in range(count)}
    store = Together(images | answers)
    values: dict[str, Any] = {"input": "s3://b/in/", "answers": "s3://b/out/", "output": "s3://b/scored/"}
    values |= {"content_type": "image/png", "split_type": "None", "accept": "application/json", "format": "csv"}

    associate(store, AssociateRequest.read(values | {"predictions": predictions}))

    lines = store.get(S3Uri("b", "scored/part-00000.csv")).decode().splitlines()
    assert [line.rpartition(",")[2] for line in lines[1:]] == [f"{number}.5" for number in range(count)]
    assert store.several.is_set()


def test_an_answer_that_cannot_be_fetched_is_named() -> None:
    objects = {f"s3://b/in/{number}": b"x" for number in range(40)}
    objects |= {f"s3://b/out/{number}.out": b"[1]" for number in range(40)}
    store = InMemoryStore(objects)
    pairs = [pair(number) for number in range(40)]
    store.delete([pairs[3].answers.uri])

    with ahead(store, pairs) as near:
        found = [near.get(one.answers.uri) for one in pairs[:3]]
        with pytest.raises(ObjectNotFound, match=r"out/3\.out"):
            near.get(pairs[3].answers.uri)
    assert found == [b"[1]"] * 3


def test_what_is_read_in_another_order_is_the_same() -> None:
    pairs = [pair(number) for number in range(50)]
    store = InMemoryStore({str(one.answers.uri): b"%d" % number for number, one in enumerate(pairs)})

    with ahead(store, pairs) as near:
        for number in (0, 0, 7, 3, *range(50), 20):
            with near.reader(pairs[number].answers.uri) as source:
                assert source.read() == b"%d" % number
            assert near.get(pairs[number].answers.uri) == b"%d" % number
        assert near.stat(pairs[0].answers.uri).size == 1
