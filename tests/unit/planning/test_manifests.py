from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import InvalidManifest
from airflow_batchtx.planning import manifests
from airflow_batchtx.planning.transfers import transfers
from airflow_batchtx.spec.uri import S3Uri


def targets(body: str) -> dict[str, str]:
    """Give each source of a manifest and where its output lies below `s3://out/run`."""
    manifest = manifests.read(body.encode())
    found = transfers(manifest.prefix, manifest.sources, S3Uri("out", "run"))
    return {str(one.source): str(one.target).removeprefix("s3://out/run/") for one in found}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            '[{"prefix":"s3://b/p/"},"b.csv","a/b.csv"]',
            {"s3://b/p/b.csv": "b.csv.out", "s3://b/p/a/b.csv": "a/b.csv.out"},
        ),
        # Plain text is put together: the prefix carries its own slash, or none.
        ('[{"prefix":"s3://b/p/day-"},"1.csv"]', {"s3://b/p/day-1.csv": "day-1.csv.out"}),
        ('[{"prefix":"s3://b/p"},"/a.csv"]', {"s3://b/p/a.csv": "p/a.csv.out"}),
        ('[{"prefix":"s3://b"},"/a.csv"]', {"s3://b/a.csv": "a.csv.out"}),
        ('[{"prefix":"s3://b/p/a.csv"},""]', {"s3://b/p/a.csv": "a.csv.out"}),
        ('[{"prefix":"https://s3.amazonaws.com/b/p/"},"a"]', {"s3://b/p/a": "a.out"}),
        # An object that is named twice is transformed once.
        ('[{"prefix":"s3://b/"},"a","a"]', {"s3://b/a": "a.out"}),
        (' [ {"prefix" : "s3://b/"} , "\\u00fc" ]\n', {"s3://b/ü": "ü.out"}),
    ],
)
def test_what_a_manifest_names_and_where_its_outputs_lie(body: str, expected: dict[str, str]) -> None:
    assert targets(body) == expected


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "it is not JSON"),
        ("s3://b/a.csv", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ('{"prefix":"s3://b/"}', "it must be a JSON list"),
        ("[]", "a prefix and the name of one object at least"),
        ('[{"prefix":"s3://b/"}]', "a prefix and the name of one object at least"),
        ('["s3://b/a","s3://b/b"]', "its first element must be"),
        ('[{"prefix":1},"a"]', "its first element must be"),
        ('[{"prefix":"s3://b/","more":1},"a"]', "its first element must be"),
        ('[{"prefix":""},"a"]', "its prefix '' is not an S3 URI"),
        ('[{"prefix":"https://example.org/"},"a"]', "is not an S3 URI"),
        ('[{"prefix":"s3://b/"},["a"]]', '["a"] is not the name of an object'),
        ('[{"prefix":"s3://b/"},{"prefix":"s3://c/"},"a"]', '{"prefix": "s3://c/"} is not the name of an object'),
        ('[{"prefix":"s3://b"},"a/b"]', '"s3://ba/b", which is in another bucket'),
        ('[{"prefix":"s3://b/"},"folder/"]', '"s3://b/folder/" is a folder, not an object'),
        ('[{"prefix":"s3://b/"},""]', '"s3://b/" is a folder, not an object'),
    ],
)
def test_what_is_no_manifest(body: str, problem: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        manifests.read(body.encode())

    assert problem in caught.value.detail


def test_bytes_that_are_no_text_are_no_manifest() -> None:
    with pytest.raises(InvalidManifest):
        manifests.read(b"\x1f\x8b\x08\xff")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidManifest) as caught:
        manifests.read(b'[{"prefix":"s3://b/"},1,"x/",null]')

    assert caught.value.detail.count("; ") == 2


NAMES = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda name: not name.endswith("/"))


@given(st.lists(NAMES, min_size=1), st.sampled_from(["", "p/", "p/q/"]))
def test_what_is_written_is_read_again(names: list[str], folder: str) -> None:
    root = S3Uri("bucket", folder)
    sources = tuple(S3Uri("bucket", folder + name) for name in names)

    body = manifests.written(root, sources)

    assert manifests.read(body) == manifests.Manifest(root, sources)
    assert json.loads(body)[0] == {"prefix": str(root)}
