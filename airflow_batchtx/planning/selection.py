"""Which of the objects that lie below the input's prefixes are input, and whether SageMaker would take the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import TypeAlias

from airflow_batchtx.planning.transfers import is_marker
from airflow_batchtx.spec.uri import S3Uri

Patterns: TypeAlias = "str | Sequence[str]"

# A name, of an object or of a folder, as those have that writers leave beside their data: _SUCCESS, .part.crc.
_HIDDEN = re.compile(r"(?<![^/])[_.]")


@dataclass(frozen=True, slots=True)
class Found:
    """An object as a listing shows it, `size` in bytes; `sha256` in hexadecimal digits where a prepare task told it."""

    uri: S3Uri
    size: int
    etag: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSet:
    """What a job reads.

    `base` is the folder that the paths of outputs are relative to, `chosen` goes in the order of the keys' bytes.
    `empty` are objects of 0 bytes, in which there is nothing to transform; `left_out` counts those that their names or
    the patterns keep out. `exact`: the one prefix that was asked for, as an S3Prefix, is just `chosen` to SageMaker.
    """

    base: S3Uri
    chosen: tuple[Found, ...]
    empty: tuple[S3Uri, ...]
    left_out: int
    exact: bool


class _Fate(Enum):
    CHOSEN = auto()
    EMPTY = auto()
    LEFT_OUT = auto()
    NOT_ASKED_FOR = auto()


def select(
    prefixes: Sequence[S3Uri],
    found: Iterable[Found],
    include: Patterns = (),
    exclude: Patterns = (),
    *,
    base: S3Uri | None = None,
) -> InputSet:
    """Choose among what was found below `prefixes`, one at least; an object that was found twice counts once.

    A prefix is raw text, as it is to S3 (`s3://b/day` takes `s3://b/day2/x` too), but for one that is an object's own
    URI: it stands for that object alone. Folder markers are no objects here. Left out are objects with a name, or a
    folder, that begins with `_` or `.`, unless the prefix itself says so; those that no pattern of `include` matches,
    if there is any; and those that one of `exclude` does. Patterns are of the path below the base, upper and lower
    case told apart; `*` stands for any text, slashes included. The base is the folder that all prefixes have in common,
    unless a manifest says another.
    """
    base = base or common_folder(prefixes)
    objects = sorted({one.uri: one for one in found if not is_marker(one.uri)}.values(), key=_in_order)
    asked = _Asked.of(prefixes, {one.uri for one in objects})
    kept, dropped = _patterns(include), _patterns(exclude)

    def fate(one: Found) -> _Fate:
        path = one.uri.key[len(base.key) :]
        said = asked.length(one.uri)
        if said is None:
            return _Fate.NOT_ASKED_FOR
        if _HIDDEN.search(one.uri.key, said) or (kept and not _matches(path, kept)) or _matches(path, dropped):
            return _Fate.LEFT_OUT
        return _Fate.CHOSEN if one.size else _Fate.EMPTY

    fates = [(one, fate(one)) for one in objects]
    chosen = tuple(one for one, its in fates if its is _Fate.CHOSEN)
    return InputSet(
        base=base,
        chosen=chosen,
        empty=tuple(one.uri for one, its in fates if its is _Fate.EMPTY),
        left_out=sum(its is _Fate.LEFT_OUT for _, its in fates),
        exact=len(set(prefixes)) == 1 and len(chosen) == len(objects),
    )


def common_folder(uris: Iterable[S3Uri]) -> S3Uri:
    """Give the deepest folder that all of some prefixes or objects of one bucket, one at least, lie in."""
    known = set(uris)
    first, last = min(known), max(known)
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first.key, last.key, strict=False))
    return S3Uri(first.bucket, first.key[: len(list(alike))]).folder


@dataclass(frozen=True, slots=True)
class _Asked:
    """Prefixes, to be looked up by the objects below them: `lengths` are those of their keys, the longest first."""

    objects: Collection[S3Uri]
    prefixes: Collection[S3Uri]
    lengths: Sequence[int]

    @classmethod
    def of(cls, prefixes: Iterable[S3Uri], objects: Collection[S3Uri]) -> _Asked:
        asked = frozenset(prefixes)
        raw = asked - frozenset(objects)
        return cls(asked - raw, raw, sorted({len(uri.key) for uri in raw}, reverse=True))

    def length(self, uri: S3Uri) -> int | None:
        """Tell how much of an object's key the longest prefix above it says; None where none takes it."""
        if uri in self.objects:
            return len(uri.key)
        bucket, key = uri.bucket, uri.key
        return next((said for said in self.lengths if S3Uri(bucket, key[:said]) in self.prefixes), None)


def _in_order(one: Found) -> tuple[str, bytes]:
    return one.uri.bucket, one.uri.key.encode()


def _patterns(given: Patterns) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
