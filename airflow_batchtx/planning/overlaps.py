"""Prefixes that lie in each other: what a job would read that it, or job control, has written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from airflow_batchtx.errors import Problem
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.uri import S3Uri

CONTROL = "control_prefix"

# What each of them is called for, by the names of members; the input may be several, what is not known is left out.
Places: TypeAlias = "Mapping[str, Sequence[S3Uri]]"


@dataclass(frozen=True, slots=True)
class Rule:
    """`inner` may not begin with `outer`; `field` is the one to blame."""

    outer: str
    inner: str
    field: str
    rule: str
    remedy: str


_CONTROL_REMEDY = (
    "Give a control_prefix of its own, such as s3://bucket/control/, in the task, in Airflow's [batchtx] section or as"
    " --control-prefix; in another bucket, where input or output is the whole of this one."
)

RULES: tuple[Rule, ...] = (
    Rule(
        outer="input",
        inner="output",
        field="input",
        rule="takes in the output prefix {inner}: a rerun would read its own output",
        remedy="Read from a folder that the output does not lie in.",
    ),
    Rule(
        outer="input",
        inner="data_capture_destination",
        field="input",
        rule="takes in the prefix of data capture, {inner}: a rerun would read its manifests",
        remedy="Capture to a prefix that the input does not begin.",
    ),
    Rule(
        outer="output",
        inner="input",
        field="output",
        rule="takes in the input {inner}: input and output would lie in one folder",
        remedy="Write to a prefix of its own, beside the input's.",
    ),
    Rule(
        outer="input",
        inner=CONTROL,
        field=CONTROL,
        rule="lies in the input {outer}: a rerun would read the records of job control",
        remedy=_CONTROL_REMEDY,
    ),
    Rule(
        outer="output",
        inner=CONTROL,
        field=CONTROL,
        rule="lies in the output prefix {outer}: whoever reads the output would find the records of job control",
        remedy=_CONTROL_REMEDY,
    ),
)


def problems(places: Places) -> Iterator[Problem]:
    """Yield the first overlap of each kind. The input is raw prefixes, the others are folders."""
    for rule in RULES:
        pairs = ((outer, inner) for outer in places.get(rule.outer, ()) for inner in places.get(rule.inner, ()))
        outer, inner = next(((outer, inner) for outer, inner in pairs if outer.covers(inner)), (None, None))
        if outer is not None and inner is not None:
            value = outer if rule.field == rule.outer else inner
            told = rule.rule.format(outer=outer, inner=inner)
            yield Problem(_label(rule.field), str(value), told, _slash(outer, inner) or rule.remedy)


def _slash(outer: S3Uri, inner: S3Uri) -> str | None:
    """Tell of the slash that is missing where `s3://b/in` takes in `s3://b/in-out/`."""
    closed = outer.as_folder()
    return None if closed.covers(inner) else f"End the prefix with a slash, {closed}, if it is a folder."


def _label(name: str) -> str:
    return BY_NAME[name].label if name in BY_NAME else name
