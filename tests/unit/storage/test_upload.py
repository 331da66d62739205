from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.upload import PartedWriter, part_size, whole_size

MIB, TIB = 2**20, 2**40
NUMBERS = range(1, 10_001)


def test_ten_thousand_parts_hold_the_largest_object() -> None:
    assert sum(map(whole_size, NUMBERS)) >= 5 * TIB


def test_every_part_has_a_size_that_s3_takes() -> None:
    assert all(5 * MIB <= whole_size(number) <= part_size(number) <= 5 * 1024 * MIB for number in NUMBERS)


def test_parts_grow_slowly_so_that_usual_objects_need_little_memory() -> None:
    assert {part_size(number) for number in range(1, 1_001)} == {8 * MIB}
    assert all(one <= other <= 2 * one for one, other in pairwise(map(part_size, NUMBERS)))


class Client:
    """Keeps what it is sent."""

    class meta:  # noqa: N801  (as boto3 names it)
        config = None

    def __init__(self) -> None:
        self.parts: dict[int, bytes] = {}
        self.body: bytes | None = None

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"UploadId": "1"}

    def upload_part(self, *, PartNumber: int, Body: bytes, **_: Any) -> dict[str, str]:  # noqa: N803
        self.parts[PartNumber] = Body
        return {"ETag": str(PartNumber)}

    def complete_multipart_upload(self, *, MultipartUpload: dict[str, Any], **_: Any) -> None:  # noqa: N803
        numbers = [part["PartNumber"] for part in MultipartUpload["Parts"]]
        self.body = b"".join(self.parts[number] for number in numbers)

    def put_object(self, *, Body: bytes, **_: Any) -> None:  # noqa: N803
        self.body = Body


def written(*pieces: bytes) -> Client:
    client = Client()
    writer = PartedWriter(client, S3Uri("bucket", "key"), lambda _: {}, {}, patient=client)  # type: ignore[arg-type]  # a fake
    for piece in pieces:
        writer.write(piece)
    writer.finish()
    return client


def test_data_as_large_as_a_part_goes_out_without_a_copy() -> None:
    pieces = [bytes([number]) * (6 * MIB + number) for number in range(3)]

    sent = written(*pieces, b"the rest").parts

    assert [sent[number + 1] is piece for number, piece in enumerate(pieces)] == [True, True, True]
    assert sent[4] == b"the rest"


def test_one_piece_is_one_request() -> None:
    piece = bytes(6 * MIB)

    client = written(piece)

    assert client.body is piece
    assert not client.parts


@pytest.mark.parametrize("sizes", [[6, 1, 6], [1, 6, 6], [7, 6, 20, 6], [4, 4, 6], [6, 0, 6], [3, 3, 6, 9], [6, 8, 5]])
def test_nothing_is_lost_between_ways_to_write(sizes: list[int]) -> None:
    pieces = [bytes([number]) * (size * MIB) for number, size in enumerate(sizes)]

    client = written(*pieces)

    assert client.body == b"".join(pieces)
    assert all(len(part) >= 5 * MIB for part in list(client.parts.values())[:-1])
