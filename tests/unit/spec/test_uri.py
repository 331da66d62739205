from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.spec.uri import S3Uri


@pytest.mark.parametrize("text", ["", "s3:/b", "s3://", "s3:///key", "https://b/key", "b/key"])
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(ValueError, match="is not an S3 URI"):
        S3Uri.parse(text)


@given(st.from_regex(r"[a-z0-9.-]{3,63}", fullmatch=True), st.text())
def test_to_text_and_back(bucket: str, key: str) -> None:
    assert S3Uri.parse(str(S3Uri(bucket, key))) == S3Uri(bucket, key)


@pytest.mark.parametrize(
    ("prefix", "name", "whole"),
    [
        ("s3://b", "x", "s3://b/x"),
        ("s3://b/", "x", "s3://b/x"),
        ("s3://b/p", "x/y", "s3://b/p/x/y"),
        ("s3://b/p/", "x", "s3://b/p/x"),
    ],
)
def test_below(prefix: str, name: str, whole: str) -> None:
    assert str(S3Uri.parse(prefix) / name) == whole


def test_name_and_folder() -> None:
    uri = S3Uri.parse("s3://b/p/q/x.csv")

    assert uri.name == "x.csv"
    assert str(uri.folder) == "s3://b/p/q/"
    assert str(S3Uri.parse("s3://b/x").folder) == "s3://b/"
    assert str(S3Uri.parse("s3://b/p").as_folder()) == "s3://b/p/"
    assert str(S3Uri.parse("s3://b").as_folder()) == "s3://b/"


@pytest.mark.parametrize(
    ("one", "other", "covers", "overlaps"),
    [
        ("s3://b/in/", "s3://b/in/a.csv", True, True),
        ("s3://b/in/", "s3://b/in/", True, True),
        ("s3://b/in/a.csv", "s3://b/in/", False, True),
        ("s3://b/in/", "s3://b/inside/", False, False),
        ("s3://b", "s3://b/x", True, True),
        ("s3://b/in/", "s3://c/in/", False, False),
    ],
)
def test_a_prefix_covers_what_begins_with_it(one: str, other: str, covers: bool, overlaps: bool) -> None:
    first, second = S3Uri.parse(one), S3Uri.parse(other)

    assert (first.covers(second), first.overlaps(second), second.overlaps(first)) == (covers, overlaps, overlaps)
