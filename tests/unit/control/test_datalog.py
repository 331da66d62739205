"""The data log, read: golden cases, and what holds for any log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.control.datalog import parse
from airflow_batchtx.errors import FailedObject

GOLDEN = Path(__file__).parents[2] / "golden" / "data-log"
STAMP = "2026-11-23T12:00:00.123:[sagemaker logs]: "


def cases() -> Iterator[Any]:
    for file in sorted(GOLDEN.glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8")):
            yield pytest.param(case, id=f"{file.stem}-{case['id']}")


@pytest.mark.parametrize("case", cases())
def test_golden(case: dict[str, Any]) -> None:
    found = parse(case["lines"], case.get("inputs", ()))

    assert found.failed == tuple(FailedObject(**one) for one in case["failed"])
    assert found.others == tuple(case["others"])
    assert found.settings == case["settings"]


LINES = st.lists(
    st.builds(
        lambda stamp, name, text: f"{stamp}{name}{text}",
        st.sampled_from([STAMP, "", STAMP.upper()]),
        st.sampled_from(["bucket/in/a: ", "bucket/in/a: b: ", "bucket/in/a:", "b/a: ", ""]),
        st.one_of(
            st.text(max_size=30),
            st.sampled_from(["Message:", "", "ClientError: 400", "Bad HTTP status received from algorithm: 500"]),
        ),
    ),
    max_size=30,
)


@given(lines=LINES, known=st.booleans())
def test_whatever_a_log_holds_it_is_read_and_no_object_is_named_twice(lines: list[str], known: bool) -> None:
    found = parse(lines, ["s3://bucket/in/a"] if known else ())

    uris = [one.uri for one in found.failed]
    assert len(uris) == len(set(uris))
    assert all(uri.startswith("s3://b") for uri in uris)
    assert not any(control in word for one in found.failed for word in one.words for control in "\x00\x1b\r\x07")


KEYS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40).map(lambda text: f"in/{text}")
WORDS = st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40), max_size=5)


@given(failures=st.dictionaries(KEYS, st.tuples(st.sampled_from([400, 413, 422]), WORDS), max_size=5))
def test_what_was_written_is_read_if_the_inputs_are_known(failures: dict[str, tuple[int, list[str]]]) -> None:
    lines = [
        f"{STAMP}bucket/{key}: {text}"
        for key, (status, words) in failures.items()
        for text in [f"ClientError: {status}", "", "Message:", *words]
    ]

    found = parse(lines, [f"s3://bucket/{key}" for key in failures])

    assert found.failed == tuple(
        FailedObject(f"s3://bucket/{key}", status, "\n".join(words)) for key, (status, words) in failures.items()
    )
    assert found.others == ()


def test_lines_of_any_length_are_read_in_no_time() -> None:
    lines = [f"{STAMP}bucket/in/{'a: ' * 80_000}"] * 50

    assert len(parse(lines).failed) == 1
