"""JSON as Batch Transform writes it: compact, keys in byte order at every depth, no HTML escaping, non-ASCII kept.

A number stays the text that it was: it is read as `bytes`, so 1.0, 1e400 and a large id come out as they went in, and
no time is lost on floats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, TypeAlias

from airflow_batchtx.errors import MalformedRecord

# dict[str, Json] | list[Json] | str | bool | None, and bytes for a number.
Json: TypeAlias = Any

_SURROGATE = re.compile("[\ud800-\udfff]")
_NEAR = 80


def _no_number(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=str.encode, parse_int=str.encode, parse_constant=_no_number)
_CLOSING = '}]"'
_BLANK = re.compile(r"[ \t\r\n]*")
_SPACES = (" ", "\t", "\r", "\n")


def text_of(payload: bytes, origin: str) -> str:
    """Decode a payload; MalformedRecord, with `origin` in its text, where it is not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise _malformed(origin, f"byte {error.start} is not UTF-8", "") from error


def value(text: str, origin: str) -> Json:
    """Read one document; MalformedRecord where the text is not exactly one."""
    try:
        if text.startswith(_SPACES):
            return _DECODER.decode(text)
        document, end = _DECODER.raw_decode(text)
        # White space behind a document is rare, and costs more to look for than to parse again.
        return document if end == len(text) else _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise _malformed(origin, str(error), text) from error


def values(text: str, origin: str) -> list[Json]:
    """Read all documents of a text, with white space between them; after brackets and quotes it may be missing."""
    found, at = list[Json](), _after_blank(text, 0)
    while at < len(text):
        try:
            document, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _malformed(origin, str(error), text[at:]) from error
        found.append(document)
        if (after := _after_blank(text, end)) == end < len(text) and text[end - 1] not in _CLOSING:
            raise _malformed(origin, "Extra data", text[at:])
        at = after
    return found


def text(document: Json) -> bytes:
    """Write a document."""
    try:
        return _WRITERS[type(document)](document)
    except RecursionError as error:
        raise MalformedRecord("A JSON document is nested too deeply") from error


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _object(document: dict[str, Json]) -> bytes:
    return b"{%s}" % b",".join(
        [_name(name) + _WRITERS[type(value := document[name])](value) for name in sorted(document)]
    )


def _list(document: list[Json]) -> bytes:
    try:
        return b"[%s]" % b",".join(document)  # numbers only: the most there is of in features
    except TypeError:
        return b"[%s]" % b",".join([_WRITERS[type(element)](element) for element in document])


def _string(document: str) -> bytes:
    quoted = encode_basestring(document)
    try:
        return quoted.encode()
    except UnicodeEncodeError:
        # Half of an escaped pair is no character; Go reads it as U+FFFD.
        return _SURROGATE.sub("\ufffd", quoted).encode()


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    return _string(name) + b":"


_WRITERS: Mapping[type, Callable[[Any], bytes]] = {
    dict: _object,
    list: _list,
    str: _string,
    bytes: bytes,
    bool: lambda document: b"true" if document else b"false",
    type(None): lambda _document: b"null",
}


def _malformed(origin: str, reason: str, near: str) -> MalformedRecord:
    shown = f" found near: {near[:_NEAR].strip()}" if near.strip() else ""
    return MalformedRecord(f"Failed to parse {origin} as JSON: {reason}{shown}")
