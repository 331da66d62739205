"""How fast records are cut, filtered and joined: MB of input per second of processor time, best of three.

The data is synthetic and goes through in payloads of 6 MiB; of the slower ways a quarter of it.

python benchmarks/records.py [megabytes]
"""

from __future__ import annotations

import io
import json
import random
import sys
import time
from collections.abc import Callable, Iterable

from airflow_batchtx.records.framing import payloads
from airflow_batchtx.records.processing import DataProcessing, Processor
from airflow_batchtx.spec.enums import AssembleWith, BatchStrategy, JoinSource, SplitType

LIMIT = 6 * 1024 * 1024
KINDS = 2_000  # different rows; the rest repeats them
CSV, JSON_LINES = "text/csv", "application/jsonlines"


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


def data(row: Callable[[random.Random], str], size: int) -> bytes:
    chance = random.Random(7)
    block = "".join(row(chance) + "\n" for _ in range(KINDS)).encode()
    return block * (size // len(block))


def cut(whole: bytes, strategy: BatchStrategy = BatchStrategy.MULTI_RECORD) -> Iterable[bytes]:
    return payloads(io.BytesIO(whole), SplitType.LINE, strategy, LIMIT)


def rate(name: str, size: int, run: Callable[[], object]) -> None:
    seconds = []
    for _ in range(3):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    print(f"{name:42} {size / min(seconds) / 1e6:8.0f} MB/s", flush=True)


def drain(items: Iterable[object]) -> None:
    for _ in items:
        pass


def processed(
    name: str,
    row: Callable[[random.Random], str],
    size: int,
    processing: DataProcessing,
    *,
    answer: bytes = b"0.987654\n",
    kind: str = CSV,
) -> None:
    whole = data(row, size)
    pieces = [(payload, answer * payload.count(b"\n")) for payload in cut(whole)]
    processor = Processor(processing, content_type=kind, accept=kind, assemble_with=AssembleWith.LINE)

    def run() -> None:
        for payload, answers in pieces:
            processor.request(payload)
            processor.output(payload, answers)

    rate(name, len(whole), run)


def main(size: int) -> None:
    join = DataProcessing(join_source=JoinSource.INPUT)
    first_and_last = DataProcessing("$[1:]", JoinSource.INPUT, "$[0,-1]")
    lines = data(plain, size)
    rate("Line, MultiRecord: cut", len(lines), lambda: drain(cut(lines)))
    rate("Line, SingleRecord: cut", len(lines), lambda: drain(cut(lines, BatchStrategy.SINGLE_RECORD)))
    processed("CSV: filter $[1:]", plain, size, DataProcessing("$[1:]"))
    processed("CSV: join", plain, size, join)
    processed("CSV: filter $[1:], join", plain, size, DataProcessing("$[1:]", JoinSource.INPUT))
    processed("CSV: filter $[1:], join, filter $[0,-1]", plain, size, first_and_last)
    processed("CSV: join, quotes needed", with_quotes_needed, size, join)
    processed("CSV: join, quotes escaped", with_quotes_escaped, size, join)
    processed("CSV: join, quotes needless", with_quotes_needless, size, join)
    processed("CSV: join, cells begin with a space", with_spaces, size // 4, join)
    processed("CSV: filter $[1:], quotes needed", with_quotes_needed, size, DataProcessing("$[1:]"))
    processed("JSON Lines: join", document, size // 4, join, answer=b'{"score":0.98,"label":1}\n', kind=JSON_LINES)
    processed("JSON Lines: join, flat", flat_document, size // 4, join, answer=b"0.98\n", kind=JSON_LINES)
    processed("JSON Lines: filter $.features", document, size // 4, DataProcessing("$.features"), kind=JSON_LINES)


if __name__ == "__main__":
    main(int(sys.argv[1]) * 1_000_000 if len(sys.argv) > 1 else 200_000_000)
