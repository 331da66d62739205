from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.engine.streams import MAX_BYTES, MAX_LINE, MAX_LINES, Batch, Streams

# PutLogEvents
EVENTS, CALL_BYTES, EVENT_BYTES, OVERHEAD = 10_000, 1_048_576, 256 * 1024, 26


def write(folder: Path, name: str, body: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(body)


def taken(streams: Streams, *, ended: bool = False) -> list[Batch]:
    found = []
    for batch in streams.gained(ended=ended):
        streams.delivered(batch)
        found.append(batch)
    return found


def test_files_are_streams(tmp_path: Path) -> None:
    write(tmp_path, "i-1-2.log", b"loading\nready\n")
    write(tmp_path, "i-1-2/data-log", b"line\n")
    write(tmp_path, "i-1-2/first.log", b"of a pipeline\n")

    found = {batch.stream: batch.lines for batch in taken(Streams(tmp_path, "job"))}

    assert found == {
        "job/i-1-2": ("loading", "ready"),
        "job/i-1-2/data-log": ("line",),
        "job/i-1-2/first": ("of a pipeline",),
    }


def test_only_what_is_new_comes_and_a_line_only_once_it_is_whole(tmp_path: Path) -> None:
    streams = Streams(tmp_path, "job")
    write(tmp_path, "a.log", b"one\ntw")
    first = taken(streams)
    write(tmp_path, "a.log", b"o\nthree")
    second = taken(streams)

    assert [batch.lines for batch in first + second] == [("one",), ("two",)]
    assert taken(streams) == []
    assert [batch.lines for batch in taken(streams, ended=True)] == [("three",)]


def test_what_was_not_delivered_comes_again(tmp_path: Path) -> None:
    streams = Streams(tmp_path, "job")
    write(tmp_path, "a.log", b"x\n" * (MAX_LINES + 1))

    (lost,) = streams.gained(ended=True)

    assert taken(streams, ended=True)[0] == lost


def test_a_folder_that_is_not_there_has_no_streams(tmp_path: Path) -> None:
    assert taken(Streams(tmp_path / "none", "job"), ended=True) == []


def test_a_long_line_is_told_in_pieces_and_blank_ones_not_at_all(tmp_path: Path) -> None:
    write(tmp_path, "a.log", b"\n \r\n" + b"x" * (MAX_LINE + 1) + b"\r\nlast")

    (batch,) = taken(Streams(tmp_path, "job"), ended=True)

    assert batch.lines == ("x" * MAX_LINE, "x", "last")


LINES = st.one_of(st.binary(max_size=60), st.binary(min_size=1, max_size=3).map(lambda some: some * (MAX_BYTES // 3)))


@given(st.lists(LINES, max_size=30), st.integers(0, 30_000))
def test_every_batch_is_within_the_limits_and_nothing_is_lost(lines: list[bytes], newlines: int) -> None:
    with TemporaryDirectory() as name:
        body = b"\n".join(lines) + b"y\n" * newlines
        write(Path(name), "a.log", body)
        batches = taken(Streams(Path(name), "job"), ended=True)

    for batch in batches:
        sizes = [len(line.encode()) for line in batch.lines]
        assert len(sizes) <= EVENTS
        assert sum(sizes) + OVERHEAD * len(sizes) <= CALL_BYTES
        assert all(size + OVERHEAD <= EVENT_BYTES for size in sizes)
    assert (batches[-1].end if batches else 0) == len(body)
    assert sum(batch.lines.count("y") for batch in batches) >= newlines - 1
