"""JSON documents out of an object that is read as it is needed: of a list of a gigabyte no more than a piece is held.

Numbers stay the text that they were, as `bytes`; NaN and Infinity, which Python's containers write, are numbers too.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, cast

from airflow_batchtx.errors import AssociationError
from airflow_batchtx.records.batching import Readable

# Bytes read at once, and characters of documents that are handed on together, about.
BLOCK = 1024 * 1024
# Characters of one value at most: more than the 100 MB that an answer of a model may have.
LONGEST = 128 * 1024 * 1024
# How deep inside a document lists are looked for.
DEPTH = 3
Path = tuple[str, ...]

_DECODER: Any = json.JSONDecoder(parse_float=str.encode, parse_int=str.encode, parse_constant=str.encode)
_SCAN = _DECODER.scan_once
_BLANK = re.compile(r"[ \t\r\n]*")
_CLOSING = '}]"'
# A value that is cut off is complained of at its end, or at the beginning of a text.
_TAIL = 1000
_SHOWN = 80


class Documents:
    """The documents of an object, one after another; AssociationError, by place, for what is no JSON."""

    def __init__(self, source: Readable, uri: str, *, block: int = BLOCK) -> None:
        self._source, self._uri, self._block = source, uri, block
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._before = "", 0, 0
        self._record = 0

    def batches(self) -> Iterator[list[Any]]:
        """Yield the documents, some at a time."""
        held: list[Any] = []
        start = self._before
        while self._peek():
            self._record += 1
            held.append(self._value())
            self._refuse_glued()
            self._take_lines(held)
            if self._before + self._at - start >= self._block:
                yield held
                held, start = [], self._before + self._at
        if held:
            yield held

    def elements(self, path: Path) -> Iterator[list[Any]]:
        """Yield the elements of the list that each document is, or has at a path of members, some at a time."""
        held: list[Any] = []
        start = self._before
        while self._peek():
            for piece in self._list_at(path):
                held += piece
                if self._before + self._at - start >= self._block:
                    yield held
                    held, start = [], self._before + self._at
        if held:
            yield held

    def lists(self) -> Iterator[Counter[Path]]:
        """Yield for each document the lists in it, by their paths, with the number of their elements."""
        while self._peek():
            found: Counter[Path] = Counter()
            self._count((), found)
            self._refuse_glued()
            yield found

    # ------------------------------------------------------------------------------------------------- inside one

    def _take_lines(self, held: list[Any]) -> None:
        """Take, the quick way, documents that stand on lines of their own, as far as they are held."""
        text, at, end = self._text, self._at, self._at
        taken = len(held)
        try:
            while text[end] == "\n":
                at = end
                value, end = _SCAN(text, at + 1)
                if text[end] == "\n":
                    held.append(value)
                    at = end
        except (StopIteration, ValueError, IndexError, RecursionError):
            pass  # what is not whole, or no JSON, is looked at again
        self._at = at
        self._record += len(held) - taken

    def _list_at(self, path: Path) -> Iterator[list[Any]]:
        if not path:
            yield from self._elements()
            return
        found = False
        for name in self._members():
            if name == path[0]:
                found = True
                yield from self._list_at(path[1:])
            else:
                self._value()
        if not found:
            raise self._malformed(f"a document has no member {path[0]!r}")

    def _elements(self) -> Iterator[list[Any]]:
        """Go through a list, some elements at a time."""
        self._expect("[")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            if rest := self._rest_of_list():
                self._record += len(rest)
                yield rest
                return
            piece = self._held_of_list() or self._one_by_one()
            self._record += len(piece)
            yield piece
            if self._expect(",]") == "]":
                return

    def _rest_of_list(self) -> list[Any]:
        """Take all elements up to the end of a list, if all of it is held."""
        try:
            found, end = _DECODER.raw_decode(f"[{self._text[self._at :]}")
        except (ValueError, RecursionError):
            return []
        self._at += end - 1 if found else 0
        return cast("list[Any]", found)

    def _held_of_list(self) -> list[Any]:
        """Take the elements that are held whole, of a list that goes on, but for the comma behind them."""
        for mark in ("},", "],", '",', ","):
            cut = self._text.rfind(mark, self._at) + len(mark) - 1
            if cut <= self._at:
                continue
            # A comma that parts no elements stands in a text, a list or an object that is then cut off.
            with suppress(ValueError, RecursionError):
                found = cast("list[Any]", _DECODER.decode(f"[{self._text[self._at : cut]}]"))
                self._at = cut
                return found
        return []

    def _one_by_one(self) -> list[Any]:
        """Take the elements that are held, however they look, and the one that goes on behind them."""
        end = self._before + len(self._text)
        found = [self._value()]
        while self._before + len(self._text) == end and self._peek() == ",":
            self._at += 1
            found.append(self._value())
        return found

    def _members(self) -> Iterator[str]:
        """Go through the names of an object's members; who takes one takes its value."""
        self._expect("{")
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            if self._peek() != '"':
                raise self._malformed("a member has no name")
            name = self._value()
            self._expect(":")
            yield name
            if self._expect(",}") == "}":
                return

    def _count(self, path: Path, found: Counter[Path]) -> None:
        opening = self._peek()
        if opening == "[":
            found[path] += sum(map(len, self._elements()))
        elif opening == "{" and len(path) < DEPTH:
            for name in self._members():
                self._count((*path, name), found)
        else:
            self._value()

    # ------------------------------------------------------------------------------------------------- characters

    def _peek(self) -> str:
        """Give the next character that is not blank, nothing at the end."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _expect(self, marks: Sequence[str]) -> str:
        found = self._peek()
        if not found or found not in marks:
            raise self._malformed(f"{' or '.join(marks)} is expected")
        self._at += 1
        return found

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut_off = error.pos >= len(self._text) - _TAIL or self._text[error.pos] == '"'
                if cut_off and self._more():
                    continue
                raise self._malformed(error.msg) from error
            except RecursionError as error:
                raise self._malformed("nested too deeply") from error
            # A number may go on behind what is held, or with what seems to stand behind it: "1." and "1e+".
            if end >= len(self._text) - 2 and self._text[end - 1] not in _CLOSING and self._more():
                continue
            self._at = end
            return found

    def _refuse_glued(self) -> None:
        """Refuse numbers and words with nothing between them: where one ends nobody can tell."""
        if self._text[self._at - 1] in _CLOSING:
            return
        while self._at == len(self._text):
            if not self._more():
                return
        if not self._text[self._at].isspace():
            raise self._malformed("documents stand side by side without a blank")

    def _more(self) -> bool:
        """Hold more of the text; False at its end."""
        held = len(self._text) - self._at
        if held > LONGEST:
            raise self._malformed(f"one value has more than {LONGEST} characters")
        data = self._source.read(max(self._block, held))
        try:
            text = self._decode.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise self._malformed("not UTF-8") from error
        if data:
            self._before += self._at
            self._text, self._at = self._text[self._at :] + text, 0
        return bool(data)

    def _malformed(self, reason: str) -> AssociationError:
        near = self._text[self._at : self._at + _SHOWN]
        return AssociationError(self._uri, f"is no JSON: {reason}: {near!r}", self._record or 1)
