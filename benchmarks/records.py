"""How fast records are cut, filtered and joined: MB of input per second of processor time, best of all rounds.

The data is synthetic and goes through in payloads of 6 MiB; of the slower ways a quarter of it.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Iterator

from airflow_batchtx.records.framing import payloads
from airflow_batchtx.records.processing import DataProcessing, Processor
from airflow_batchtx.spec.enums import AssembleWith, BatchStrategy, JoinSource, SplitType
from benchmarks.datasets import (
    CSV,
    JSON_LINES,
    Row,
    canonical_document,
    data,
    document,
    flat_document,
    plain,
    with_quotes_escaped,
    with_quotes_needed,
    with_quotes_needless,
    with_spaces,
)
from benchmarks.report import Options, Table

LIMIT = 6 * 1024 * 1024
JOIN = DataProcessing(join_source=JoinSource.INPUT)
ONE, FEW = 1, 4  # which share of the data


def cut(whole: bytes, strategy: BatchStrategy = BatchStrategy.MULTI_RECORD) -> Iterable[bytes]:
    return payloads(io.BytesIO(whole), SplitType.LINE, strategy, LIMIT)


def rate(size: int, run: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return size / min(seconds) / 1e6


def drain(items: Iterable[object]) -> None:
    for _ in items:
        pass


def processed(whole: bytes, kind: str, processing: DataProcessing, answer: bytes, rounds: int) -> float:
    pieces = [(payload, answer * payload.count(b"\n")) for payload in cut(whole)]
    processor = Processor(processing, content_type=kind, accept=kind, assemble_with=AssembleWith.LINE)

    def run() -> None:
        for payload, answers in pieces:
            processor.request(payload)
            processor.output(payload, answers)

    return rate(len(whole), run, rounds)


SCORE, DOCUMENT = b"0.987654\n", b'{"score":0.98,"label":1}\n'
WAYS: tuple[tuple[str, Row, int, DataProcessing, str, bytes], ...] = (
    ("CSV: filter $[1:]", plain, ONE, DataProcessing("$[1:]"), CSV, SCORE),
    ("CSV: join", plain, ONE, JOIN, CSV, SCORE),
    ("CSV: filter $[1:], join", plain, ONE, DataProcessing("$[1:]", JoinSource.INPUT), CSV, SCORE),
    (
        *("CSV: filter $[1:], join, filter $[0,-1]", plain, ONE),
        *(DataProcessing("$[1:]", JoinSource.INPUT, "$[0,-1]"), CSV, SCORE),
    ),
    ("CSV: join, quotes needed", with_quotes_needed, ONE, JOIN, CSV, SCORE),
    ("CSV: join, quotes escaped", with_quotes_escaped, ONE, JOIN, CSV, SCORE),
    ("CSV: join, quotes needless", with_quotes_needless, ONE, JOIN, CSV, SCORE),
    ("CSV: join, cells begin with a space", with_spaces, FEW, JOIN, CSV, SCORE),
    ("CSV: filter $[1:], quotes needed", with_quotes_needed, ONE, DataProcessing("$[1:]"), CSV, SCORE),
    ("JSON Lines: join", document, FEW, JOIN, JSON_LINES, DOCUMENT),
    ("JSON Lines: join, compact and sorted", canonical_document, FEW, JOIN, JSON_LINES, DOCUMENT),
    ("JSON Lines: join, flat", flat_document, FEW, JOIN, JSON_LINES, SCORE),
    ("JSON Lines: filter $.features", document, FEW, DataProcessing("$.features"), JSON_LINES, DOCUMENT),
)


def measure(options: Options) -> Iterator[Table]:
    lines, single = data(plain, options.megabytes * 1_000_000), BatchStrategy.SINGLE_RECORD
    rows = [
        ("Line, MultiRecord: cut", rate(len(lines), lambda: drain(cut(lines)), options.rounds)),
        ("Line, SingleRecord: cut", rate(len(lines), lambda: drain(cut(lines, single)), options.rounds)),
    ]
    for name, row, share, processing, kind, answer in WAYS:
        whole = data(row, options.megabytes * 1_000_000 // share)
        rows.append((name, processed(whole, kind, processing, answer, options.rounds)))
    yield Table("Records in payloads of 6 MiB", ("what is done", "MB per CPU second"), tuple(rows))
