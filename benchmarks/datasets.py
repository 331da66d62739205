"""Synthetic records, the same in every run."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable

KINDS = 2_000  # different rows; the rest repeats them
CSV, JSON_LINES, RECORD_IO = "text/csv", "application/jsonlines", "application/x-recordio"

Row = Callable[[random.Random], str]


def numbers(chance: random.Random, count: int) -> list[str]:
    return [f"{chance.uniform(-100, 100):.6f}" for _ in range(count)]


def plain(chance: random.Random) -> str:
    return ",".join([str(chance.randrange(10**9)), *numbers(chance, 20)])


def with_quotes_needed(chance: random.Random) -> str:
    return ",".join([str(chance.randrange(10**9)), '"Smith, John"', *numbers(chance, 8), '"Main Street 7, London"'])


def with_quotes_escaped(chance: random.Random) -> str:
    return ",".join([str(chance.randrange(10**9)), '"John ""Jack"" Smith"', *numbers(chance, 8), '"Main, London"'])


def with_quotes_needless(chance: random.Random) -> str:
    return ",".join([str(chance.randrange(10**9)), '"Smith"', *numbers(chance, 8), '"London"'])


def with_spaces(chance: random.Random) -> str:
    return ", ".join([str(chance.randrange(10**9)), *numbers(chance, 20)])


def document(chance: random.Random) -> str:
    return json.dumps(
        {"id": chance.randrange(10**9), "name": "Jane Doe", "features": list(map(float, numbers(chance, 20)))}
    )


def flat_document(chance: random.Random) -> str:
    return json.dumps({f"column{place}": float(number) for place, number in enumerate(numbers(chance, 12))})


def canonical_document(chance: random.Random) -> str:
    return json.dumps(json.loads(document(chance)), sort_keys=True, separators=(",", ":"))


def block(row: Row) -> bytes:
    """Give the rows that repeat, as lines."""
    chance = random.Random(7)
    return "".join(row(chance) + "\n" for _ in range(KINDS)).encode()


def data(row: Row, size: int) -> bytes:
    """Give at most `size` bytes of whole lines."""
    rows = block(row)
    return rows * (size // len(rows))


def record_io(row: Row) -> bytes:
    """Give the rows that repeat, each in a RecordIO frame."""
    return b"".join(
        struct.pack("<II", 0xCED7230A, len(line)) + line + bytes(-len(line) % 4) for line in block(row).splitlines()
    )
