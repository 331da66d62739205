"""What can be known to go wrong before a job is paid for: every problem at once, and what looks doubtful."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeAlias

from airflow_batchtx.errors import Problem
from airflow_batchtx.planning import overlaps
from airflow_batchtx.planning.addresses import address, is_address
from airflow_batchtx.planning.sampling import header, longest_line
from airflow_batchtx.planning.selection import InputSet
from airflow_batchtx.planning.settings import DEFAULTS, MIB
from airflow_batchtx.planning.transfers import output_of
from airflow_batchtx.spec import validation, wire
from airflow_batchtx.spec.enums import S3DataType, SplitType
from airflow_batchtx.spec.limits import MAX_PAYLOAD_IN_MB, MAX_PAYLOAD_PRODUCT_MB
from airflow_batchtx.spec.media import media_type
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.prepared import settled
from airflow_batchtx.spec.uri import S3Uri

# Amazon S3 User Guide, Creating object key names: "at most 1,024 bytes" of UTF-8.
LONGEST_KEY = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a job that is to be; what is not is None, and passed over.

    `request` is a CreateTransformJob request, in which templates may stand. `control` is the prefix of attempts'
    folders. `heads` are the first bytes of some input objects, not compressed.
    """

    request: Mapping[str, Any]
    inputs: InputSet | None = None
    control: S3Uri | None = None
    heads: Sequence[bytes] = ()


def problems(facts: Facts) -> tuple[Problem, ...]:
    """Give everything that would make the job fail, or do harm: what is wrong with the request, then with its data."""
    return (*validation.problems(facts.request), *_found(RULES, facts))


def doubts(facts: Facts) -> tuple[Problem, ...]:
    """Give what looks wrong and may be right."""
    return (*validation.doubts(facts.request), *_found(DOUBTS, facts))


Values: TypeAlias = "Mapping[str, Any]"
Rule: TypeAlias = Callable[[Facts, Values], Iterator[Problem]]


def _found(rules: Iterable[Rule], facts: Facts) -> Iterator[Problem]:
    # Templates stay in: they are no numbers and no choices, and of two texts that overlap the rendered ones will too.
    values = wire.flat(settled(wire.coerced(facts.request))[0])
    return (problem for rule in rules for problem in rule(facts, values))


# --------------------------------------------------------------------------------------------- where things lie


def _places(facts: Facts, values: Values) -> Iterator[Problem]:
    folders = {name: _addresses(values.get(name)) for name in ("output", "data_capture_destination")}
    places = {name: [uri.as_folder() for uri in uris] for name, uris in folders.items()}
    places["input"] = _sources(facts, values)
    places[overlaps.CONTROL] = [facts.control] if facts.control else []
    yield from overlaps.problems(places)


def _sources(facts: Facts, values: Values) -> list[S3Uri]:
    """Give the prefixes that are read, or the objects that a manifest names."""
    if values.get("s3_data_type") == S3DataType.MANIFEST_FILE:
        return [found.uri for found in facts.inputs.chosen] if facts.inputs else []
    return _addresses(values.get("input"))


def _addresses(value: Any) -> list[S3Uri]:
    texts = value if isinstance(value, list) else [value]
    return [address(text) for text in texts if isinstance(text, str) and is_address(text)]


def _siblings(facts: Facts, values: Values) -> Iterator[Problem]:
    sources = _sources(facts, values)
    if facts.inputs is None or len(sources) != 1 or not sources[0].name:
        return
    [prefix] = sources
    folders = {found.uri.key[len(prefix.folder.key) :].partition("/")[0] for found in facts.inputs.chosen}
    if prefix.name in folders and len(folders) > 1:
        also = ", ".join(sorted(folders - {prefix.name})[:3])
        rule = f"takes in what lies beside the folder as well: {also}"
        yield Problem(_label("input"), str(prefix), rule, f"End it with a slash, {prefix}/, to read the folder alone.")


# --------------------------------------------------------------------------------------------- what is read


def _nothing(facts: Facts, values: Values) -> Iterator[Problem]:
    if facts.inputs is not None and not facts.inputs.chosen:
        beside = f"{len(facts.inputs.empty)} are empty, {facts.inputs.left_out} are left out"
        remedy = "Look at the prefix, and at include and exclude; names in _ and . count only if the prefix says them."
        yield Problem(_label("input"), values.get("input"), f"names no object to transform ({beside})", remedy)


def _long_keys(facts: Facts, values: Values) -> Iterator[Problem]:
    outputs = _addresses(values.get("output"))
    if facts.inputs is None or not outputs:
        return
    base = len(facts.inputs.base.key)
    targets = (output_of(found.uri.key[base:], outputs[0]).key for found in facts.inputs.chosen)
    longest = max((len(key.encode()) for key in targets), default=0)
    if longest > LONGEST_KEY:
        rule = f"makes an output key of {longest} bytes, more than the {LONGEST_KEY} that S3 takes"
        yield Problem(_label("output"), str(outputs[0]), rule, "Give a shorter prefix.")


def _idle_instances(facts: Facts, values: Values) -> Iterator[Problem]:
    count = values.get("instance_count")
    if facts.inputs is None or not isinstance(count, int):
        return
    if 0 < (objects := len(facts.inputs.chosen)) < count:
        rule = f"is more than the {objects} input objects: {count - objects} instances get none, and cost the same"
        yield Problem(_label("instance_count"), count, rule, f"Give {objects}, or cut the input into more objects.")


# -------------------------------------------------------------------------------------------- how much at once


def _too_large(facts: Facts, values: Values) -> Iterator[Problem]:
    if "max_payload_in_mb" in values:
        yield from _larger(facts, values)


def _too_large_by_default(facts: Facts, values: Values) -> Iterator[Problem]:
    if "max_payload_in_mb" not in values:
        yield from _larger(facts, values)


def _larger(facts: Facts, values: Values) -> Iterator[Problem]:
    limit = _limit(values)
    if facts.inputs is None or limit is None or values.get("split_type", SplitType.NONE) != SplitType.NONE:
        return
    if large := [found for found in facts.inputs.chosen if found.size > limit.size]:
        largest = max(large, key=attrgetter("size"))
        others = f"; {len(large) - 1} more are too large" if len(large) > 1 else ""
        what = f"{largest.uri}, which split type None sends whole{others}"
        yield limit.broken(largest.size, what, " A split_type would send records instead.")


def _long_lines(facts: Facts, values: Values) -> Iterator[Problem]:
    limit = _limit(values)
    longest = max(map(longest_line, facts.heads), default=0)
    if limit and values.get("split_type") == SplitType.LINE and longest > limit.size:
        yield limit.broken(longest, "a line of the input")


@dataclass(frozen=True, slots=True)
class _Limit:
    """The largest payload, and in which words it is one; `asked` is None where the request does not say."""

    asked: int | None
    megabytes: int
    words: str

    @property
    def size(self) -> int:
        return self.megabytes * MIB

    def broken(self, size: int, what: str, way_out: str = "") -> Problem:
        rule = f"{self.words} less than the {size:,} bytes ({size / MIB:.1f} MB) of {what}"
        return Problem(_label("max_payload_in_mb"), self.asked, rule, _enough(size) + way_out)


def _limit(values: Values) -> _Limit | None:
    """Give the largest payload; None where there is no limit, or it is not known yet."""
    asked, default = values.get("max_payload_in_mb"), DEFAULTS.max_payload_in_mb
    if asked is None:
        return _Limit(None, default, f"is {default} MB unless the model says otherwise,")
    return _Limit(asked, asked, "is") if isinstance(asked, int) and asked > 0 else None


def _enough(size: int) -> str:
    needed = -(-size // MIB)
    if needed > MAX_PAYLOAD_IN_MB:
        return f"No request may have more than {MAX_PAYLOAD_IN_MB} MB; 0 sends chunks, where a model takes them."
    return f"Give {needed}, and at most {MAX_PAYLOAD_PRODUCT_MB // needed} for max_concurrent_transforms."


# ------------------------------------------------------------------------------------------------- what is in it


def _header(facts: Facts, values: Values) -> Iterator[Problem]:
    if media_type(str(values.get("content_type"))) != "text/csv":
        return
    if line := next(filter(None, map(header, facts.heads)), None):
        rule = f"has no header, but the input seems to begin with one: {line[:80]}"
        remedy = "The model would take it for a record: take it out, or let a PrepareInputOperator do so."
        yield Problem(_label("content_type"), values["content_type"], rule, remedy)


def _label(name: str) -> str:
    return BY_NAME[name].label


RULES: Sequence[Rule] = (_places, _nothing, _too_large, _long_keys)
DOUBTS: Sequence[Rule] = (
    _siblings,
    _idle_instances,
    _too_large_by_default,
    _long_lines,
    _header,
)
