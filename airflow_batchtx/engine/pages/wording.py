"""How times, spans and counts are written for people."""

from __future__ import annotations

from datetime import datetime, timezone

# Seconds of a unit, its name, and the same of the next smaller one.
_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s"))


def moment(epoch: float | None) -> str:
    """Write a time to the second, in UTC: 2026-11-26 00:59:12."""
    if epoch is None:
        return "–"  # noqa: RUF001 nothing is there
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float | None) -> str:
    """Write a span with its two largest units: 0.4 s, 12 s, 3 m 05 s, 2 h 10 m, 4 d 03 h."""
    if seconds is None:
        return "–"  # noqa: RUF001 nothing is there
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    for large, its_name, small, name in _UNITS:
        if whole >= large:
            return f"{whole // large} {its_name} {whole % large // small:02} {name}"
    return f"{whole} s"


def count(number: int) -> str:
    """Write a count with its thousands apart: 12,345."""
    return f"{number:,}"
