"""Which outputs of a piece of work are there, as it wrote them: told by what changed, not by a clock of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from airflow_batchtx.spec.intent import ObjectState, PinnedObject

SUFFIX = ".out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Every input object is in one of three, in the order in which they were given.

    `done` have their output, which looks as beside them. Of `missing` there is none. Of `unchanged` there is one that
    this work did not write: the one that lay there before, or another in the place of what an earlier attempt wrote.
    `unexpected` are the URIs of outputs that answer no object of this work, sorted.
    """

    done: tuple[tuple[PinnedObject, ObjectState], ...]
    missing: tuple[PinnedObject, ...]
    unchanged: tuple[PinnedObject, ...]
    unexpected: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Tell whether every object has its output."""
        return not self.missing and not self.unchanged


def completeness(
    objects: Iterable[PinnedObject], outputs: Mapping[str, ObjectState], *, since: str | None = None
) -> Completeness:
    """Compare pinned objects with `outputs`, what lies below the output prefix by URI.

    An output counts if it looks otherwise than before the attempt; that of an earlier attempt if it looks as it did.
    `since` is when S3 says that the intent was written (ISO 8601): what is older is no affair of this work, and not
    unexpected. Both are S3's own times.
    """
    pinned = tuple(objects)
    there = [(one, outputs[one.target]) for one in pinned if one.target in outputs]
    targets = {one.target for one in pinned}
    others = ((uri, state) for uri, state in outputs.items() if uri.endswith(SUFFIX) and uri not in targets)
    return Completeness(
        done=tuple((one, state) for one, state in there if _counts(one, state)),
        missing=tuple(one for one in pinned if one.target not in outputs),
        unchanged=tuple(one for one, state in there if not _counts(one, state)),
        unexpected=tuple(sorted(uri for uri, state in others if since is None or not _is_older(state, since))),
    )


def _counts(one: PinnedObject, state: ObjectState) -> bool:
    return state == one.done.state if one.done else state != one.before


def _is_older(state: ObjectState, since: str) -> bool:
    return bool(state.modified) and datetime.fromisoformat(state.modified) < datetime.fromisoformat(since)
