"""Pictures for a report, as SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from airflow_batchtx.association.distributions import Bar

# In the units of the picture, which is as wide as its place.
_WIDTH, _HEIGHT, _TOP, _FOOT = 560, 190, 18, 20
# Between two bars.
_GAP = 2.0
# Values below bars, at most.
_LABELS = 12
# A bar of a few among many is still seen.
_LEAST = 1.5
# Between two spans, in hundredths of all of them.
_SPLIT = 0.3


def histogram(bars: Sequence[Bar], what: str, *, apart: bool = False) -> str:
    """Draw bars side by side, each with its numbers for who points at it.

    `apart` says that each is of one value, which stands below it; else values stand at the borders.
    """
    most = max(bar.count for bar in bars)
    step = _WIDTH / len(bars)
    room = _HEIGHT - _TOP - _FOOT
    drawn = "".join(
        [
            f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{_TOP}" y2="{_TOP}"/>',
            f'<text x="0" y="{_TOP - 5}">{most:,} rows</text>',
            *_bars(bars, step, room / most, apart=apart),
            f'<line class="base" x1="0" x2="{_WIDTH}" y1="{_HEIGHT - _FOOT}" y2="{_HEIGHT - _FOOT}"/>',
            *(_values(bars, step) if apart else _borders(bars, step)),
        ]
    )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(what)}">{drawn}</svg>'


def _bars(bars: Sequence[Bar], step: float, scale: float, *, apart: bool) -> Iterator[str]:
    wide = max(step - _GAP, step / 2)
    for place, bar in enumerate(bars):
        if bar.count:
            high = max(bar.count * scale, _LEAST)
            x, y = place * step + (step - wide) / 2, _HEIGHT - _FOOT - high
            told = f"{bar.low:,.6g}" + ("" if apart else f" to {bar.high:,.6g}") + f": {bar.count:,}"
            yield (
                f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="1">'
                f"<title>{escape(told)}</title></rect>"
            )


def _values(bars: Sequence[Bar], step: float) -> Iterator[str]:
    """Write what some bars stand for: all of them, or every few."""
    for place in range(0, len(bars), -(-len(bars) // _LABELS)):
        x = (place + 0.5) * step
        yield f'<text x="{x:.1f}" y="{_HEIGHT - 5}" text-anchor="middle">{bars[place].low:,.6g}</text>'


def _borders(bars: Sequence[Bar], step: float) -> Iterator[str]:
    """Write the value at some borders: the first, the last, and up to three between."""
    count = len(bars)
    for place in sorted({round(count * part / 4) for part in range(5)}):
        value = bars[place].low if place < count else bars[-1].high
        anchor = {0: "start", count: "end"}.get(place, "middle")
        yield f'<text x="{place * step:.1f}" y="{_HEIGHT - 5}" text-anchor="{anchor}">{value:,.6g}</text>'


def share(part: float) -> str:
    """Draw a part of a whole as a bar from the left."""
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar" width="{100 * part:.2f}" height="10"/></svg>'
    )


def timeline(spans: Sequence[tuple[str, float]]) -> str:
    """Draw spans of time in a row, each as long as its seconds and in the colour of its class."""
    total = sum(seconds for _, seconds in spans) or 1.0
    parts, x = list[str](), 0.0
    for kind, seconds in spans:
        wide = 100 * seconds / total
        parts.append(f'<rect class="{kind}" x="{x:.2f}" width="{max(wide - _SPLIT, _SPLIT):.2f}" height="10"/>')
        x += wide
    return (
        '<svg class="times" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="Time line">'
        f"{''.join(parts)}</svg>"
    )
