"""How the values of a column are spread: counted batch by batch, in bounded memory, in one pass."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

# Bars that are shown of numbers, at most, and different texts.
BARS, TEXTS = 50, 12
# Different texts that are counted each; those that come later are counted together.
COUNTED = 1000
# Characters of a text that are kept; of a longer one its length too, and a digest that tells it from others.
LONGEST = 200
# Fine bins that are kept of numbers; when there are more, ten become one.
_BINS = 4000
# Digits behind the point that a value must be off the edge of a bin by, so that 0.29 is in the bin that begins with it.
_DIGITS = 9
# Ten to the power of minus this is still a double.
_LEAST_POWER = -300
# What a bar may span: this many fine bins, or ten times, a hundred times as many, ...
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """How many values lie from `low` on up to, and without, `high`."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Numbers: the least, the largest, their mean and about their median, all None where there is none.

    `bars` stand side by side, those without any value among them. `odd` counts what is no finite number.
    """

    least: float | None
    largest: float | None
    mean: float | None
    median: float | None
    bars: tuple[Bar, ...]
    odd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Values that are no numbers: those that are seen most, how many all the others are, and how many are different.

    `different` is None where they are too many to be counted.
    """

    most: tuple[tuple[str, int], ...]
    others: int
    different: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One column: its Arrow type by name, its rows, how many of them are null, and how the others are spread."""

    name: str
    type: str
    rows: int
    nulls: int
    values: Numbers | Texts


Column: TypeAlias = Any  # an Arrow array of any type


class _Values(Protocol):
    def add(self, column: Column) -> None:
        """Count the values of a batch, none of them null."""
        ...

    def counted(self) -> Numbers | Texts:
        """Give what has been counted."""
        ...


class Spread:
    """Counts one column. `type` is its Arrow type."""

    def __init__(self, name: str, type: pa.DataType) -> None:  # noqa: A002 - Arrow's word
        self._name, self._type = name, type
        self._rows = self._nulls = 0
        self._values: _Values = _Numbers() if _is_number(type) else _Texts()

    def add(self, column: Column) -> None:
        """Count a batch."""
        self._rows += len(column)
        self._nulls += column.null_count
        self._values.add(column.drop_null())

    def counted(self) -> Distribution:
        """Give what has been counted so far."""
        return Distribution(
            name=self._name, type=str(self._type), rows=self._rows, nulls=self._nulls, values=self._values.counted()
        )


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


class _Numbers:
    """Fine bins, each a power of ten wide, which is raised when there are too many of them."""

    def __init__(self) -> None:
        self._power: int | None = None
        self._bins: Counter[int] = Counter()
        self._least, self._largest, self._sum = math.inf, -math.inf, 0.0
        self._count = self._odd = 0

    def add(self, column: Column) -> None:
        numbers = column.cast(pa.float64(), safe=False)
        finite = numbers.filter(pc.is_finite(numbers))
        self._odd += len(numbers) - len(finite)
        if not len(finite):
            return
        bounds: Any = pc.min_max(finite).as_py()
        self._least, self._largest = min(self._least, bounds["min"]), max(self._largest, bounds["max"])
        self._count += len(finite)
        self._sum += pc.sum(finite).as_py()
        self._widen(whole=pa.types.is_integer(column.type))
        self._bins.update(_binned(finite, self._power or 0))

    def _widen(self, *, whole: bool) -> None:
        """Make bins wide enough for all values so far; whole numbers are never told apart finer than they are."""
        needed = _power_for(self._largest - self._least, max(abs(self._least), abs(self._largest)))
        power = max(needed, 0) if whole else needed
        if self._power is None:
            self._power = power
        elif power > self._power:
            tens = 10 ** (power - self._power)
            merged: Counter[int] = Counter()
            for index, count in self._bins.items():
                merged[index // tens] += count
            self._power, self._bins = power, merged

    def counted(self) -> Numbers:
        if not self._count:
            return Numbers(least=None, largest=None, mean=None, median=None, bars=(), odd=self._odd)
        return Numbers(
            least=self._least,
            largest=self._largest,
            mean=self._sum / self._count,
            median=self._median(),
            bars=tuple(self._bars()),
            odd=self._odd,
        )

    def _median(self) -> float:
        seen = 0
        for index in sorted(self._bins):
            seen += self._bins[index]
            if 2 * seen >= self._count:
                return min(max(_edge(index, self._power or 0), self._least), self._largest)
        raise AssertionError("unreachable: the bins hold all values")

    def _bars(self) -> Iterator[Bar]:
        first, last = min(self._bins), max(self._bins)
        step = next(width for width in _widths() if last // width - first // width < BARS)
        counts: Counter[int] = Counter()
        for index, count in self._bins.items():
            counts[index // step] += count
        for index in range(first // step, last // step + 1):
            low, high = (_edge(edge * step, self._power or 0) for edge in (index, index + 1))
            yield Bar(low, high, counts[index])


def _power_for(span: float, largest: float) -> int:
    """Give the power of ten that makes bins of a span few, and that a double tells apart at its largest value."""
    # The span of the least and the largest double is beyond doubles.
    finest = math.floor(math.log10(min(span, sys.float_info.max) / _BINS)) + 1 if span > 0 else -_DIGITS
    told_apart = math.floor(math.log10(largest)) - sys.float_info.dig + 2 if largest > 0 else -_DIGITS
    return max(finest, told_apart, _LEAST_POWER)


def _binned(finite: Column, power: int) -> dict[int, int]:
    scaled = pc.divide(finite, 10.0**power) if power > 0 else pc.multiply(finite, 10.0**-power)
    counts = pc.value_counts(pc.floor(pc.round(scaled, _DIGITS)).cast(pa.int64()))
    return {pair["values"]: pair["counts"] for pair in counts.to_pylist()}


def _edge(index: int, power: int) -> float:
    return index * 10.0**power if power >= 0 else index / 10.0**-power


def _widths() -> Iterator[int]:
    tens = 1
    while True:
        yield from (step * tens for step in _STEPS)
        tens *= 10


class _Texts:
    """Texts that came first, each for itself, and the others together."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._rest = 0

    def add(self, column: Column) -> None:
        for text, count in _counted(column):
            value = _brief(text)
            if value in self._counts or len(self._counts) < COUNTED:
                self._counts[value] += count
            else:
                self._rest += count

    def counted(self) -> Texts:
        # The same data gives the same page: of texts that are as frequent the first in the alphabet.
        ordered: Sequence[tuple[str, int]] = sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0]))
        others = sum(count for _, count in ordered[TEXTS:]) + self._rest
        return Texts(most=tuple(ordered[:TEXTS]), others=others, different=None if self._rest else len(self._counts))


def _brief(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}... ({len(text):,} characters, {sha256(text.encode()).hexdigest()[:8]})"


def _counted(column: Column) -> Iterator[tuple[str, int]]:
    try:
        texts = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = pa.array([str(value) for value in column.to_pylist()], pa.string())
    return ((pair["values"], pair["counts"]) for pair in pc.value_counts(texts).to_pylist())
