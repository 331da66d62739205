"""What benchmarks tell is what they measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.model import answer
from benchmarks.report import Options, Table, document, shown, verdict

OPTIONS = Options(megabytes=1, objects=2, rows=3, rounds=4, cache=Path("nowhere"))


@pytest.mark.parametrize(
    ("figure", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (0.5, "0.50"), ("met", "met"), (None, "")]
)
def test_figures_have_three_digits(figure: str | float | None, text: str) -> None:
    assert shown(figure) == text


def test_goals_are_met_or_missed_by_an_amount() -> None:
    assert verdict(0.9, 0.9) == "met"
    assert verdict(0.6, 0.8) == "missed by 0.20"
    assert verdict(250, 300, at_most=True) == "met"
    assert verdict(320, 300, at_most=True) == "missed by 20.0"


def test_a_page_says_what_was_missed() -> None:
    table = Table(
        "Streams", ("stream", "ratio", ""), (("join", 0.6, verdict(0.6, 0.8)), ("none", 1.0, "met")), ("Note.",)
    )

    page = document([table], OPTIONS, "python -m benchmarks")

    assert "- Streams: join, missed by 0.20" in page
    assert "| join | 0.60 | missed by 0.20 |" in page
    assert page.count("missed by") == 2
    assert page.endswith("Note.\n")


def test_a_page_without_misses_says_so() -> None:
    assert "met all goals" in document([Table("One", ("a",), (("b",),))], OPTIONS, "c")


@pytest.mark.parametrize(
    ("path", "told"), [("/echo/invocations", b"a\nb\n"), ("/score/invocations", b"0.987654\n" * 2)]
)
def test_the_model_answers_line_by_line(path: str, told: bytes) -> None:
    assert bytes(answer(path, memoryview(b"a\nb\n"))) == told
