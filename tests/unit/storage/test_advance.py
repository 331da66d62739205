from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from airflow_batchtx.storage.advance import at_once, in_advance


def threads() -> set[str]:
    return {one.name.rpartition("_")[0] for one in threading.enumerate()} & {"advance", "at-once"}


def test_items_come_in_their_order() -> None:
    assert list(in_advance(iter(range(100)))) == list(range(100))
    assert list(at_once(str, iter(range(100)), 3)) == [str(number) for number in range(100)]
    assert list(in_advance(iter(()))) == list(at_once(str, iter(()), 3)) == []


def test_items_are_made_in_another_thread() -> None:
    here = threading.get_ident()

    assert here not in set(in_advance(threading.get_ident() for _ in range(3)))
    assert here not in set(at_once(lambda _: threading.get_ident(), iter(range(3)), 2))


def test_no_more_are_made_than_may_wait() -> None:
    made = list[int]()

    def numbers() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    found = in_advance(numbers(), most=2)
    next(found)
    found.close()

    assert len(made) <= 3


def test_several_are_made_at_once() -> None:
    both = threading.Barrier(2, timeout=10)

    assert list(at_once(lambda _: both.wait() in (0, 1), iter(range(4)), 2)) == [True] * 4


def test_what_goes_wrong_is_raised_behind_what_went_well() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise LookupError("two")

    found = in_advance(numbers())
    assert next(found) == 1
    with pytest.raises(LookupError, match="two"):
        next(found)

    halves = at_once(lambda number: 1 / number, iter((1, 0, 2)), 2)
    assert next(halves) == 1
    with pytest.raises(ZeroDivisionError):
        next(halves)


def test_no_thread_outlives_an_iterator_that_is_closed() -> None:
    first, second = in_advance(iter(range(9))), at_once(str, iter(range(9)), 2)
    next(first)
    next(second)
    assert threads() == {"advance", "at-once"}

    first.close()
    second.close()

    assert threads() == set()
