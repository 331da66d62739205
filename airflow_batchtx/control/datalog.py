"""What a job's data log says: which input objects failed, with which HTTP status, and in which words.

SageMaker writes a line as `<time>:[sagemaker logs]: <text>`, and of an object as `<bucket>/<key>: <text>`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from airflow_batchtx.errors import FailedObject

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}:\[sagemaker logs\]: ?")
_SETTINGS = re.compile(r"MaxConcurrentTransforms=\S+, MaxPayloadInMB=\S+, BatchStrategy=\S+")
# What the first line about a failed object says, in public threads: aws/amazon-sagemaker-examples#1620 and #3948,
# aws/sagemaker-python-sdk#1882 and #1951.
_STATUS = re.compile(r"(?:ClientError|Bad HTTP status received from algorithm): (?P<status>[1-5]\d\d)")
_NO_ANSWER = "Unable to get response from algorithm"
_MESSAGE = "Message:"
# A bucket and a key with what is said of the object: the key ends at the first colon that a blank, or nothing, follows.
_OBJECT = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]{2,62}/.+?):(?: (?P<text>.*))?")
# Terminals obey what a model may have printed, and no key is as long as a line may be.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class DataLog:
    """The settings that the job ran with, the objects that failed, in the order of the log, and all other lines."""

    settings: Mapping[str, str]
    failed: tuple[FailedObject, ...]
    others: tuple[str, ...]


def parse(lines: Iterable[str], inputs: Collection[str] = ()) -> DataLog:
    """Read the lines of a data log, of all instances one after the other.

    `inputs` are the URIs of the job's input objects, if they are known: a key may hold anything, colons too.
    """
    settings, stamped, others = dict[str, str](), list[str](), dict[str, None]()
    for line in map(cleaned, lines):
        if (stamp := _STAMP.match(line)) is None:
            others[line] = None
        elif _SETTINGS.fullmatch(said := line[stamp.end() :]):
            settings.update(re.findall(r"(\w+)=([^\s,]+)", said))
        else:
            stamped.append(said)
    names, said_of = _Names(stamped, inputs), dict[str, list[str]]()
    for said in stamped:
        name, text = names.split(said)
        if name is None:
            others[text] = None
        else:
            said_of.setdefault(name, []).append(text)
    failed = tuple(_failed(f"s3://{name}", texts) for name, texts in said_of.items())
    return DataLog(settings, failed, tuple(filter(None, others)))


def cleaned(line: str) -> str:
    """Give a line of a log as it may be shown: of bounded length, and without control characters but tabs."""
    return _CONTROLS.sub(" ", line[:_LONGEST]).rstrip()


class _Names:
    """Tells the names of objects from what is said of them."""

    def __init__(self, stamped: Iterable[str], inputs: Collection[str]) -> None:
        self._inputs = {uri.removeprefix("s3://") for uri in inputs}
        shown = set(filter(None, map(_shown, stamped)))
        # A model's words may look as if they were said of an object of a longer name.
        self._shown = {name for name in shown if not any(shorter in shown for shorter in _cuts(name))}

    def split(self, said: str) -> tuple[str | None, str]:
        """Give the object that a line is about, and what it says of it; None and the line where it is about none."""
        for known in (self._inputs, self._shown):
            if found := [name for name in _cuts(said) if name in known]:
                return found[-1], said[len(found[-1]) + 2 :]
        if not self._inputs and (about := _OBJECT.fullmatch(said)):
            return about["name"], about["text"] or ""
        return None, said


def _cuts(text: str) -> Iterator[str]:
    """Yield what stands before each colon that may end an object's name, from the shortest on."""
    return (text[: colon.start()] for colon in re.finditer(r":(?= |$)", text))


def _shown(said: str) -> str | None:
    """Give the object that a line is about which says what is said of nothing else."""
    for name in _cuts(said):
        text = said[len(name) + 2 :]
        if (text in (_MESSAGE, _NO_ANSWER) or _STATUS.fullmatch(text)) and _OBJECT.fullmatch(f"{name}:"):
            return name
    return None


def _failed(uri: str, texts: list[str]) -> FailedObject:
    """Read what is said of one object; of several failures the first counts."""
    first = texts[: _next_failure(texts)]
    at = first.index(_MESSAGE) if _MESSAGE in first else len(first)
    statuses = [found["status"] for text in first[:at] if (found := _STATUS.fullmatch(text))]
    head = [text for text in first[:at] if text and not _STATUS.fullmatch(text)]
    words = "\n".join([*dict.fromkeys(head), *first[at + 1 :]])
    return FailedObject(uri, int(statuses[0]) if statuses else None, words.strip("\n"))


def _next_failure(texts: list[str]) -> int:
    """Find where the next failure of an object begins: with a status of its own, and a message that follows."""
    for at in range(1, len(texts)):
        if _STATUS.fullmatch(texts[at]) and texts[at + 1 : at + 3] == ["", _MESSAGE]:
            return at
    return len(texts)
