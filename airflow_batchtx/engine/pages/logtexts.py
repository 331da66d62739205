"""A job's log files as texts for people: their names, their last lines, the whole of them, and why objects failed."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

_PIECE = 64 * 1024
# How much of a data log is read for the reasons of failed objects, and how many lines of a reason are shown.
_MOST_READ, _MOST_LINES = 4 * 1024 * 1024, 8
_DATA_LINE = re.compile(r"\S+:\[sagemaker logs\]: (?P<text>.*)")


@dataclass(frozen=True, slots=True)
class Log:
    """One stream of a job, by its name within the job, and the file that holds it."""

    stream: str
    path: Path

    @property
    def is_data_log(self) -> bool:
        """Tell whether it says what SageMaker, not a container, has to say."""
        return self.path.name == "data-log"

    def tail(self, lines: int) -> list[str]:
        """Give the last lines."""
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _PIECE))
            return file.read().decode(errors="replace").splitlines()[-lines:]

    def pieces(self) -> Iterator[bytes]:
        """Give the whole text."""
        with self.path.open("rb") as file:
            yield from iter(lambda: file.read(_PIECE), b"")


def found_in(folder: Path) -> list[Log]:
    """Give the logs of a job in the order of their names, data logs first."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    found = [Log(path.relative_to(folder).as_posix().removesuffix(".log"), path) for path in files]
    return sorted(found, key=lambda log: (not log.is_data_log, log.stream))


def all_pieces(found: list[Log]) -> Iterator[bytes]:
    """Give all texts, each below its name."""
    return chain.from_iterable(chain([f"===== {log.stream} =====\n".encode()], log.pieces(), [b"\n"]) for log in found)


def failures(found: list[Log], objects: Container[str] | None) -> dict[str, list[str]]:
    """Say why objects failed, by `bucket/key`; `objects` are the names of all, None where they are too many."""
    said: dict[str, list[str]] = {}
    for line in chain.from_iterable(_data_lines(log) for log in found if log.is_data_log):
        if (name := _name(line, objects)) is not None:
            lines, text = said.setdefault(name, []), line[len(name) + 2 :]
            if text and len(lines) < _MOST_LINES:
                lines.append(text)
    return said


def _name(line: str, objects: Container[str] | None) -> str | None:
    """Find the object that a line is about. One key may begin as another does, up to a colon: the longest counts."""
    if objects is None:
        return next((name for name in _names(line) if "/" in name), None)
    return next((name for name in reversed([*_names(line)]) if name in objects), None)


def _data_lines(log: Log) -> Iterator[str]:
    with log.path.open("rb") as file:
        text = file.read(_MOST_READ).decode(errors="replace")
    # A key may hold what only str.splitlines takes for the end of a line.
    for line in text.split("\n"):
        if found := _DATA_LINE.fullmatch(line):
            yield found["text"]


def _names(line: str) -> Iterator[str]:
    """Give what may be the name of an object before a colon; a key may hold colons, too."""
    at = line.find(":")
    while at >= 0:
        if line[at + 1 : at + 2] in ("", " "):
            yield line[:at]
        at = line.find(":", at + 1)
