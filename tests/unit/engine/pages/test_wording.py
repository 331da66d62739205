from __future__ import annotations

import pytest

from airflow_batchtx.engine.pages.wording import count, moment, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),  # noqa: RUF001
        (-0.2, "0.0 s"),
        (0.42, "0.4 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 m 00 s"),
        (185, "3 m 05 s"),
        (3600, "1 h 00 m"),
        (7799, "2 h 09 m"),
        (86_400 * 4 + 3600 * 3, "4 d 03 h"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_times_are_utc_and_counts_are_grouped() -> None:
    assert moment(1_795_655_142.9) == "2026-11-26 01:05:42"
    assert moment(None) == "–"  # noqa: RUF001
    assert count(1234567) == "1,234,567"
