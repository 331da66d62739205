"""A job's log files as CloudWatch's streams: what they have gained, in batches that PutLogEvents takes.

The files are the queue: nothing is held in memory, and what could not be delivered stays where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# PutLogEvents takes 10,000 events and 1,048,576 bytes a call, 26 bytes counted for each event, and 256 KB an event.
# A byte that is no UTF-8 becomes three, so this many bytes and lines always fit.
MAX_BYTES = 256 * 1024
MAX_LINES = 9_990
# Characters of an event, at four bytes each; longer lines are told in several.
MAX_LINE = 60_000


@dataclass(frozen=True, slots=True)
class Batch:
    """What one file has gained: the name of its stream, whole lines, and how far the file is read with them."""

    stream: str
    lines: tuple[str, ...]
    path: Path
    end: int


class Streams:
    """The log files below a folder. `<name>.log` and `<name>` are the stream `<prefix>/<name>`."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        self._read: dict[Path, int] = {}

    def gained(self, *, ended: bool) -> Iterator[Batch]:
        """Yield what is new, of each file in its order; a last line without a newline only when the job has ended.

        A batch that is not told `delivered` before the next one is asked for comes again.
        """
        for path in sorted(path for path in self._folder.rglob("*") if path.is_file()):
            while (batch := self._batch(path, ended=ended)) is not None:
                yield batch
                if self._read.get(path) != batch.end:
                    break

    def delivered(self, batch: Batch) -> None:
        """Note that a batch need not come again."""
        self._read[batch.path] = batch.end

    def _batch(self, path: Path, *, ended: bool) -> Batch | None:
        start = self._read.get(path, 0)
        with path.open("rb") as file:
            file.seek(start)
            found = file.read(MAX_BYTES)
        taken = _whole_lines(found, ended=ended)
        if not taken:
            return None
        name = path.relative_to(self._folder).as_posix().removesuffix(".log")
        return Batch(f"{self._prefix}/{name}", tuple(_events(taken)), path, start + len(taken))


def _whole_lines(found: bytes, *, ended: bool) -> bytes:
    """Cut at the last newline, if the rest of that line may still come."""
    if found.count(b"\n") > MAX_LINES:
        return b"\n".join(found.split(b"\n", MAX_LINES)[:MAX_LINES]) + b"\n"
    full = len(found) == MAX_BYTES
    if ended and not full:
        return found
    return found[: found.rfind(b"\n") + 1] or (found if full else b"")


def _events(taken: bytes) -> Iterator[str]:
    """Give the lines that are not blank (CloudWatch takes no empty event), those too long in pieces."""
    for line in taken.decode(errors="replace").split("\n"):
        text = line.rstrip("\r")
        if text.strip():
            yield from (text[at : at + MAX_LINE] for at in range(0, len(text), MAX_LINE))
