"""Objects that are one record each, many of them to a part of the table: a part a picture would be no table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from airflow_batchtx.association.objects import Inputs
from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.spec.result import TransformResult

# The most objects, and bytes of answers, whose rows make a part.
OBJECTS = 10_000
BYTES = 32 * 1024 * 1024


def gathered(pairs: Sequence[Pair], result: TransformResult) -> tuple[Pair, ...]:
    """Put pairs together, in their order, whose inputs are one record each; the same pairs always in the same way."""
    if not Inputs.of(result).whole:
        return tuple(pairs)
    return tuple(replace(first, others=tuple(others)) for first, *others in _groups(pairs))


def _groups(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    group: list[Pair] = []
    size = 0
    for pair in pairs:
        size += pair.answers.size
        if group and (len(group) == OBJECTS or size > BYTES or pair.unanswered or group[-1].unanswered):
            yield group
            group, size = [], pair.answers.size
        group.append(pair)
    if group:
        yield group
