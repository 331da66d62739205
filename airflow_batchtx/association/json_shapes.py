"""Where a container put its predictions: which parts of its JSON are the answers to records, one each.

A model that is sent many records in one request answers in many ways: a document a record, a list of them, a list in a
member. It is known which one only if exactly one of them gives as many answers as there were records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from airflow_batchtx.association.documents import Documents, Path
from airflow_batchtx.association.objects import Inputs
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.request import ARRAY, DOCUMENT, member_path
from airflow_batchtx.errors import AmbiguousAnswer, RowCountMismatch
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore


@contextmanager
def opened(store: ObjectStore, uri: S3Uri) -> Iterator[Documents]:
    """Open an object of JSON."""
    with store.reader(uri) as source:
        yield Documents(source, str(uri))


def answers(documents: Documents, shape: str) -> Iterator[list[object]]:
    """Yield the answers in an object, some at a time."""
    return documents.batches() if shape == DOCUMENT else documents.elements(member_path(shape))


def found(store: ObjectStore, pairs: Iterable[Pair], inputs: Inputs) -> str:
    """Find how all answers are to be read, by their number; AmbiguousAnswer names several ways that fit.

    RowCountMismatch where none does. Answers that can be read in one way only are not counted here.
    """
    left: list[str] = []
    last: Pair | None = None
    for pair in pairs:
        if not pair.answers.size:
            continue
        if not left and len(_first(store, pair)) == 1:
            return DOCUMENT
        rows, counted = inputs.count(store, pair), _counted(store, pair)
        left = [shape for shape in left or counted if counted.get(shape) == rows]
        if not left:
            raise _none(pair, rows, counted)
        if len(left) == 1:
            return left[0]
        last = pair
    if last is None:
        return DOCUMENT
    detail = f"can be read in {len(left)} ways that all give as many answers as rows: {', '.join(left)}; say answer="
    raise AmbiguousAnswer(str(last.answers.uri), detail, readings=tuple(left))


def _first(store: ObjectStore, pair: Pair) -> Mapping[str, int]:
    with opened(store, pair.answers.uri) as documents:
        return _shapes(1, next(documents.lists(), Counter()))


def _counted(store: ObjectStore, pair: Pair) -> Mapping[str, int]:
    with opened(store, pair.answers.uri) as documents:
        number, total, everywhere = 0, Counter[Path](), Counter[Path]()
        for lists in documents.lists():
            number += 1
            everywhere.update(lists.keys())
            total.update(lists)
        return _shapes(number, {path: total[path] for path, times in everywhere.items() if times == number})


def _shapes(number: int, lists: Mapping[Path, int]) -> dict[str, int]:
    """Give how many answers each way of reading gives, of so many documents that all have these lists."""
    return {DOCUMENT: number, **{_name(path): count for path, count in lists.items()}}


def _name(path: Path) -> str:
    return ".".join(("$", *path)) if path else ARRAY


def _none(pair: Pair, rows: int, counted: Mapping[str, int]) -> RowCountMismatch:
    ways = ", ".join(f"{count} as {shape}" for shape, count in counted.items())
    detail = f"has {ways} to the {rows} rows of {pair.source}"
    return RowCountMismatch(str(pair.answers.uri), detail, rows_in=rows, rows_out=counted[DOCUMENT])
