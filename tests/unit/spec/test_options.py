from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.spec import options
from airflow_batchtx.spec.options import Option, read_options
from airflow_batchtx.spec.uri import S3Uri


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (options.uri, "s3://b/k", S3Uri("b", "k")),
        (options.folder, "s3://b/k", S3Uri("b", "k/")),
        (options.uris, "s3://b/a,b", (S3Uri("b", "a,b"),)),
        (options.uris, ["s3://b/k", "s3://b/l/"], (S3Uri("b", "k"), S3Uri("b", "l/"))),
        (options.uris, "['s3://b/k']", (S3Uri("b", "k"),)),
        (options.names, "a, b", ("a", "b")),
        (options.names, '["a", "b,c"]', ("a", "b,c")),
        (options.names, [], ()),
        (options.whole(1), " 12 ", 12),
        (options.optional(options.whole(1)), "None", None),
        (options.one_of(["a", "b"]), "b", "b"),
        (options.texts, {"a": "int64"}, {"a": "int64"}),
    ],
)
def test_a_value_is_read(read: Any, value: object, expected: object) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (options.uri, "https://b/k"),
        (options.uri, 3),
        (options.uris, []),
        (options.uris, "['s3://b/k'"),
        (options.uris, {"a": 1}),
        (options.names, ["a", "a"]),
        (options.names, [1]),
        (options.names, ["a", ""]),
        (options.whole(1), 0),
        (options.whole(1), True),
        (options.whole(1), "1.5"),
        (options.one_of(["a"]), None),
        (options.texts, ["a"]),
        (options.texts, {"a": 1}),
    ],
)
def test_what_cannot_be_read_says_why(read: Any, value: object) -> None:
    known, [problem] = read_options({"x": Option(read, "Do so.")}, {"x": value})

    assert known == {}
    assert (problem.field, problem.value, problem.remedy) == ("x", value, "Do so.")
    assert problem.rule


def test_what_is_not_rendered_yet_is_passed_over() -> None:
    assert read_options({"x": Option(options.uri, "")}, {"x": "{{ params.x }}"}) == ({}, ())
