from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.planning.settings import DEFAULTS, Settings, Wishes, effective
from airflow_batchtx.planning.transfers import shares, transfers
from airflow_batchtx.spec.enums import BatchStrategy
from airflow_batchtx.spec.uri import S3Uri

OUTPUT = S3Uri.parse("s3://out/run")


@pytest.mark.parametrize(
    ("prefix", "key", "target"),
    [
        ("s3://b/in/", "in/a.csv", "s3://out/run/a.csv.out"),
        ("s3://b/in", "in/a.csv", "s3://out/run/in/a.csv.out"),
        ("s3://b/in/", "in/day=1/a.csv", "s3://out/run/day=1/a.csv.out"),
        ("s3://b/p/da", "p/data/x.csv", "s3://out/run/data/x.csv.out"),
        ("s3://b/in/a.csv", "in/a.csv", "s3://out/run/a.csv.out"),
        ("s3://b", "a.csv", "s3://out/run/a.csv.out"),
        ("s3://b/batch_transform", "batch_transform/0.png", "s3://out/run/batch_transform/0.png.out"),
    ],
)
def test_where_the_output_of_an_object_lies(prefix: str, key: str, target: str) -> None:
    (transfer,) = transfers(S3Uri.parse(prefix), [S3Uri("b", key)], OUTPUT)

    assert str(transfer.target) == target


def test_folder_markers_are_no_data_and_keys_go_in_the_order_of_their_bytes() -> None:
    keys = ["in/b", "in/é", "in/", "in/Z", "in/sub/"]

    found = transfers(S3Uri.parse("s3://b/in/"), [S3Uri("b", key) for key in [*keys, "in/b"]], OUTPUT)

    assert [transfer.source.key for transfer in found] == ["in/Z", "in/b", "in/é"]


@given(st.integers(0, 50), st.integers(1, 10))
def test_every_object_goes_to_one_instance(count: int, instances: int) -> None:
    todo = transfers(S3Uri("b"), [S3Uri("b", f"{n:03}") for n in range(count)], OUTPUT)

    dealt = shares(todo, instances)

    assert len(dealt) == instances
    assert sorted((t for share in dealt for t in share), key=lambda t: t.source) == list(todo)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


SINGLE = BatchStrategy.SINGLE_RECORD


@pytest.mark.parametrize(
    ("request_", "container", "expected"),
    [
        (Wishes(), Wishes(), DEFAULTS),
        (Wishes(), Wishes(8, 3, SINGLE), Settings(8, 3, SINGLE)),
        (Wishes(2, 1, BatchStrategy.MULTI_RECORD), Wishes(8, 3, SINGLE), Settings(2, 1, BatchStrategy.MULTI_RECORD)),
        (Wishes(max_concurrent_transforms=0), Wishes(8), Settings(8, 6, BatchStrategy.MULTI_RECORD)),
        (Wishes(max_payload_in_mb=0), Wishes(max_payload_in_mb=9), Settings(1, 0, BatchStrategy.MULTI_RECORD)),
        (Wishes(max_payload_in_mb=50), Wishes(64), Settings(2, 50, BatchStrategy.MULTI_RECORD)),
        (Wishes(), Wishes(64, 200), Settings(1, 100, BatchStrategy.MULTI_RECORD)),
        (Wishes(), Wishes(64, 0), Settings(64, 0, BatchStrategy.MULTI_RECORD)),
        (Wishes(max_payload_in_mb=100), Wishes(64), Settings(1, 100, BatchStrategy.MULTI_RECORD)),
    ],
)
def test_the_request_wins_over_the_container_and_the_container_over_defaults(
    request_: Wishes, container: Wishes, expected: Settings
) -> None:
    assert effective(request_, container) == expected


def test_payloads_are_counted_in_mebibytes_and_0_is_no_limit() -> None:
    assert DEFAULTS.max_payload == 6 * 1024 * 1024
    assert Settings(1, 0, SINGLE).max_payload is None
