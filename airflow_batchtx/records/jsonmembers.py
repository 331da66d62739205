"""Joins of JSON Lines whose documents need nothing but their members sorted: most of them, in a fraction of the time.

Numbers and all else stay as they were, byte by byte, as when documents are read whole (`jsontext`), which is the way
for everything that is not so plain, and for telling what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from airflow_batchtx.records import jsontext, lines

Members = dict[str, msgspec.Raw]

_members = msgspec.json.Decoder(Members).decode
_value = msgspec.json.Decoder(msgspec.Raw).decode
_sorted = msgspec.json.Encoder(order="sorted").encode
_QUOTE = ord('"')


def joined(payload: bytes, answer: bytes, name: str) -> bytes | None:
    """Put each document of the answer as a member into its document of the payload; None where that takes more."""
    asked, told = _documents(payload), _documents(answer)
    if asked is None or told is None or len(asked) != len(told):
        return None
    read, answered = _reader(payload), _reader(answer)
    try:
        return b"\n".join(
            [_sorted({**read(one), name: _written(its, answered)}) for one, its in zip(asked, told, strict=True)]
        )
    except (msgspec.DecodeError, RecursionError):
        return None


def _documents(payload: bytes) -> list[bytes] | None:
    """Part documents; None if any has escapes, objects in objects, or white space but for spaces."""
    plain = lines.with_newlines(payload)
    if b"\\" in plain or b"\t" in plain or b"\r" in plain or not _is_utf_8(plain):
        return None
    documents = list(filter(None, plain.split(b"\n")))
    return documents if plain.count(b"{") <= len(documents) else None


def _is_utf_8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _reader(payload: bytes) -> Callable[[bytes], Members]:
    return _without_spaces if b" " in payload else _members


def _without_spaces(document: bytes) -> Members:
    members = _members(document)
    for name, value in members.items():
        text = bytes(value)
        if b" " in text and text[0] != _QUOTE:
            members[name] = _tight(text)
    return members


def _tight(text: bytes) -> msgspec.Raw:
    """Take the spaces out of a value, but for those in texts."""
    return msgspec.Raw(jsontext.text(jsontext.value(text.decode(), "")) if b'"' in text else text.replace(b" ", b""))


def _written(document: bytes, read: Callable[[bytes], Members]) -> msgspec.Raw:
    if document.startswith(b"{"):
        return msgspec.Raw(_sorted(read(document)))
    value = _value(document)
    return value if b" " not in document else _tight(bytes(value))
