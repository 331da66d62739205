from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
import pytest

from airflow_batchtx.association import report_page
from airflow_batchtx.association.distributions import Numbers, Texts
from airflow_batchtx.association.report import Report, report
from airflow_batchtx.association.report_page import page
from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore
from tests.unit.association.test_associate import RESULT, Scored, run

TOOK = {
    "started": "2026-01-01T12:03:00.000+00:00", "ended": "2026-01-01T12:05:30.000+00:00", "provisioning_seconds": 180.0,
    "transform_seconds": 150.0, "instance_type": "ml.m5.large", "instance_count": 2, "cost": 0.0123, "currency": "USD",
    "priced": "2026-04-21", "model_name": "churn",
}  # fmt: skip


def reported(store: InMemoryStore, **options: Any) -> Report:
    output = run(store, **options)
    return report(store, S3Uri.parse(output.manifest), TransformResult.read(RESULT | TOOK))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"format": "csv"},
        {"format": "jsonlines"},
        {"predictions": {"score": "double", "label": "string"}},
        {"partition_by": ["prediction_1"]},
        {"partition_by": ["prediction_0", "prediction_1"], "format": "csv"},
    ],
)
def test_every_row_is_counted(options: dict[str, Any]) -> None:
    found = reported(Scored(b"0.5,a\n0.25,b\n,b\n", b"1,b\n0,c\n"), **options)

    [score, label] = found.distributions
    assert (found.output, found.table.rows, found.table.job_name) == ("s3://b/scored/", 5, "job-1")
    assert (score.rows, score.nulls, score.type) == (5, 1, "double")
    assert isinstance(score.values, Numbers)
    assert isinstance(label.values, Texts)
    assert (score.values.least, score.values.largest, score.values.mean) == (0.0, 1.0, 0.4375)
    assert label.values.most == (("b", 3), ("a", 1), ("c", 1))


def test_dead_rows_are_told_with_their_reasons() -> None:
    store = Scored(b'0.5,\n,too old\n"",too old\n', b"1,\n,too young\n")
    found = reported(store, predictions=["score", "error"], error_member="error", max_dead="90%")

    assert (found.table.rows, found.table.dead_rows) == (2, 3)
    assert found.reasons is not None
    assert isinstance(found.reasons.values, Texts)
    assert [count for _, count in found.reasons.values.most] == [2, 1]
    shown = " ".join(Outline(page(found)).text.split())
    assert "5 rows in = 2 rows out + 3 dead" in shown
    assert "too old" in shown
    assert "s3://b/scored/_dead_letters/" in shown


def test_progress_comes_to_its_end() -> None:
    store, told = Scored(b"1\n2\n3\n", b"4\n5\n"), list[tuple[int, int]]()
    output = run(store)

    report(store, S3Uri.parse(output.manifest), TransformResult.read(RESULT), progress=lambda *way: told.append(way))

    assert len(told) == 2
    assert told[-1][0] == told[-1][1] == sum(one.size for one in store.objects(S3Uri("b", "scored/part-")))


def test_what_is_no_manifest() -> None:
    store = InMemoryStore({"s3://b/scored/_manifest.json": b"{}"})

    with pytest.raises(MalformedRecord):
        report(store, S3Uri("b", "scored/_manifest.json"), TransformResult.read(RESULT))


# ------------------------------------------------------------------------------------------------------- the page


class Outline(HTMLParser):
    """What a page holds: its elements, all closed, and its text."""

    VOID = frozenset({"meta", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data + " "


def test_a_page_tells_what_is_in_the_table() -> None:
    shown = Outline(page(reported(Scored(b'0.5\n0.25\n""\n', b"1\n0\n"), predictions={"score": "double"})))

    text = " ".join(shown.text.split())
    assert "5 rows in = 5 rows out" in text
    assert "double, 5 rows, 1 null" in text
    assert "Provisioning 3 min 00 s Transform 2 min 30 s" in text
    assert "0.0123 USD (price of 2026-04-21)" in text
    assert "2 x ml.m5.large" in text
    assert [tag for tag, _ in shown.found].count("svg") == 2
    assert "s3://b/out/part-00001.csv.out" in text


def test_classes_stand_below_their_bars() -> None:
    classes = page(reported(Scored(b"0\n2\n2\n", b"2\n1\n"), predictions={"p": "int64"}))
    shares = page(reported(Scored(b"0\n2\n2\n", b"2\n1\n"), predictions={"p": "double"}))

    assert "<title>2: 3</title>" in classes
    assert re.findall(r">(\d)</text>", classes) == ["0", "1", "2"]
    assert "<title>2: 3</title>" not in shares


def test_a_page_fetches_nothing_and_runs_nothing() -> None:
    written = page(reported(Scored(b"1\n2\n3\n", b"4\n5\n")))

    tags = {tag for tag, _ in Outline(written).found}
    assert not tags & {"script", "img", "iframe", "object", "form"}
    assert not re.findall(r"(?:src|href)=(?!\"data:)", written)
    assert "url(" not in written
    assert "@import" not in written
    assert "prefers-color-scheme: dark" in written


def test_what_a_model_or_a_user_writes_is_text() -> None:
    bad = "<script>alert(1)</script>"
    found = reported(Scored(f"{bad}\n2\n3\n".encode(), b"4\n5\n", **{bad: pa.array(range(5))}), predictions=["<b>&"])
    found = replace(found, result=replace(found.result, model_name=bad))

    written = page(found)

    assert "<script>" not in written
    assert "<b>&" not in written
    assert bad in Outline(written).text


def test_a_table_without_answers_and_a_job_that_is_not_known() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    output = run(store)
    found = report(store, S3Uri.parse(output.manifest), TransformResult.read({**RESULT, "created": ""}))

    shown = Outline(page(replace(found, distributions=())))

    assert "Provisioning" not in shown.text
    assert "Predictions" not in shown.text


def test_a_table_of_two_prefixes_and_one_of_a_job_that_failed() -> None:
    store = Scored(b"1\n2\n3\n", b"4\n5\n")
    found = report(store, S3Uri.parse(run(store).manifest), TransformResult.between("s3://b/in/", "s3://b/out/"))

    alone = Outline(page(replace(found, table=replace(found.table, job_name="")))).text
    failed = Outline(page(replace(found, result=TransformResult.read({**RESULT, "status": "Failed"})))).text

    assert "The answers of s3://b/out/" in alone
    assert "Where it is from" in alone
    assert "Model" not in alone
    assert "Status" not in alone
    assert "Failed" in failed


def test_many_parts_are_not_all_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "PARTS", 1)

    shown = Outline(page(reported(Scored(b"1\n2\n3\n", b"4\n5\n"))))

    assert "and 1 more, which the manifest lists" in shown.text


def test_the_same_table_has_the_same_page() -> None:
    first, second = (page(reported(Scored(b"a\nb\nc\n", b"c\na\n"))) for _ in range(2))

    assert first == second
