"""What a job should be like for its input, how long it will take and what it will cost: each with its reason.

Nothing is guessed. How fast a model is comes from a former job or from a user, a price from a list; what neither tells
is said to be unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from airflow_batchtx.planning.cost import cost
from airflow_batchtx.planning.settings import DEFAULTS, MIB
from airflow_batchtx.planning.sharding import Rows, Sharding, ShardWishes, sharding
from airflow_batchtx.spec.enums import BatchStrategy
from airflow_batchtx.spec.limits import MAX_INSTANCE_COUNT, MAX_PAYLOAD_IN_MB, MAX_PAYLOAD_PRODUCT_MB
from airflow_batchtx.spec.prices import Price

# Samples do not hold the longest record, so as much again is left for it.
_ROOM = 2
# EC2 User Guide, instance types: of these families a large has 2 vCPUs, an xlarge 4, and an n-xlarge 4 n.
_SIZE = re.compile(r"ml\.(?:[mcr]\d[a-z]*)\.(?:(?P<large>large)|(?P<times>\d*)xlarge)")
_ODD_SIZES: Mapping[str, int] = {"ml.c4.8xlarge": 36}

Values: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is to be transformed: `total` bytes, in `objects` of these sizes in bytes, in the order of their keys.

    `objects` is None where they are still to be cut, as evenly as one likes. `records` counts them, about; `longest` is
    the longest one seen, in bytes. `whole`: objects are sent whole (SplitType None).
    """

    total: int
    objects: Sequence[int] | None = None
    records: int | None = None
    longest: int | None = None
    whole: bool = False

    def busiest(self, instances: int) -> int:
        """Give the bytes of the instance that gets most, if objects are dealt in turn."""
        if self.objects is None:
            return -(-self.total // instances)
        return max((sum(self.objects[index::instances]) for index in range(instances)), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one instance transforms, in bytes of input a second, and who says so.

    `provisioning_seconds`, `max_concurrent_transforms` and `max_payload_in_mb` are those of the job that it is from.
    """

    bytes_per_second: float
    source: str
    provisioning_seconds: float | None = None
    max_concurrent_transforms: int | None = None
    max_payload_in_mb: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a member of a job should be, None where that is to be left out; and why."""

    member: str
    value: int | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How long a job is expected to take and what it will cost, each None where nothing tells; and why."""

    provisioning_seconds: float | None
    transform_seconds: float | None
    why_time: str
    cost: float | None
    currency: str | None
    why_cost: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that is known of a job that is to be.

    `values` are the members that its request gives, by our names. `pace` is None where nothing tells it, and `no_pace`
    says why. `within` is how long the transform may take, in seconds, None for no matter how long. `wishes` is what is
    asked of the shards, None where the input is not to be cut.
    """

    load: Load
    values: Values
    pace: Pace | None = None
    no_pace: str = ""
    within: float | None = None
    price: Price | None = None
    wishes: ShardWishes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What to give the job, and what to expect of it; how to cut the input, where that is still to be cut."""

    choices: tuple[Choice, ...]
    expected: Expected
    sharding: Sharding | None

    @property
    def members(self) -> dict[str, int]:
        """The members that have a value, by our names."""
        return {choice.member: choice.value for choice in self.choices if choice.value is not None}


def proposed(question: Question) -> Proposal:
    """Think a job through."""
    instances, payload = _instances(question), _payload(question)
    concurrency = _concurrency(question, payload.value)
    return Proposal(
        choices=(instances, payload, concurrency),
        expected=_expected(question, instances.value or 1),
        sharding=_sharding(question, instances, payload, concurrency),
    )


# ------------------------------------------------------------------------------------------------------ instances


def _instances(question: Question) -> Choice:
    given = question.values.get("instance_count")
    if question.within is not None and question.pace is not None:
        return _fast_enough(question.load, question.pace, question.within)
    if isinstance(given, int):
        return Choice("instance_count", given, f"as the request says{_unused(question.load, given)}")
    if question.within is not None:
        return Choice("instance_count", 1, "how many it takes is not known without a rate")
    why = "no time limit is given; with more the job is done sooner for the same money, as long as each gets objects"
    return Choice("instance_count", 1, why)


def _fast_enough(load: Load, pace: Pace, within: float) -> Choice:
    """Take as few instances as are fast enough, or as many as are of use."""
    most = MAX_INSTANCE_COUNT if load.objects is None else min(MAX_INSTANCE_COUNT, max(len(load.objects), 1))
    fitting = (count for count in range(1, most + 1) if load.busiest(count) / pace.bytes_per_second <= within)
    if (count := next(fitting, None)) is not None:
        share = in_units(load.busiest(count))
        return Choice(
            "instance_count", count, f"the fewest that are done in {spoken(within)}: the busiest gets {share}"
        )
    best = min(range(1, most + 1), key=load.busiest)
    bound = "AWS takes no more" if best == MAX_INSTANCE_COUNT else "more would be of no use, as whole objects are dealt"
    return Choice("instance_count", best, f"not done in {spoken(within)}, but {bound}")


def _unused(load: Load, count: int) -> str:
    if load.objects is None:
        return ""
    if (objects := len(load.objects)) < count:
        return f"; but there are {objects} objects, and instances without one cost the same"
    even = load.total / count
    if even and load.busiest(count) > 1.5 * even:
        most, mean = in_units(load.busiest(count)), in_units(round(even))
        return f"; but objects differ: the busiest instance gets {most}, where an even share is {mean}"
    return ""


# ----------------------------------------------------------------------------------------------- how much at once


def _payload(question: Question) -> Choice:
    name, given, default = "max_payload_in_mb", question.values.get("max_payload_in_mb"), DEFAULTS.max_payload_in_mb
    if isinstance(given, int):
        return Choice(name, given, "as the request says")
    known = _longest(question.load)
    if known is None:
        return Choice(name, None, f"the length of records is not known: {default} MB, unless the model says otherwise")
    size, what, room = known
    if size > MAX_PAYLOAD_IN_MB * MIB:
        too_much = f"and no request may have more than {MAX_PAYLOAD_IN_MB} MB"
        return Choice(name, None, f"{what} has {in_units(size)}, {too_much}")
    needed = min(-(-size * room // MIB), MAX_PAYLOAD_IN_MB)
    if needed <= default:
        return Choice(name, default, f"SageMaker's own, which {what} of {in_units(size)} fits in well")
    spare = ", with as much again for longer ones" if room > 1 else ""
    return Choice(name, needed, f"{what} has {in_units(size)}{spare}")


def _longest(load: Load) -> tuple[int, str, int] | None:
    """Give the size in bytes that a request must have room for, what that is, and how many times it."""
    if load.whole:
        return (max(load.objects), "the largest object, which is sent whole,", 1) if load.objects else None
    return None if load.longest is None else (load.longest, "the longest record seen", _ROOM)


def _concurrency(question: Question, payload: int | None) -> Choice:
    name, given = "max_concurrent_transforms", question.values.get("max_concurrent_transforms")
    if isinstance(given, int):
        return Choice(name, given, "as the request says")
    if question.pace is not None and question.pace.max_concurrent_transforms is not None:
        return Choice(name, question.pace.max_concurrent_transforms, f"as {question.pace.source} had")
    instance_type = question.values.get("instance_type")
    processors = vcpus(instance_type) if isinstance(instance_type, str) else None
    if processors is None:
        return Choice(name, None, "the container says how many it takes, or it is 1")
    fitting = max(1, MAX_PAYLOAD_PRODUCT_MB // max(payload or DEFAULTS.max_payload_in_mb, 1))
    why = (
        f"best is one a worker of the model server (AWS), and servers start one a vCPU, of which there are {processors}"
    )
    if fitting < processors:
        return Choice(name, fitting, f"{why}; but payload times concurrency may be {MAX_PAYLOAD_PRODUCT_MB} MB at most")
    return Choice(name, processors, why)


def vcpus(instance_type: str) -> int | None:
    """Count the vCPUs of an instance type of a general family; None for others, whose workers follow accelerators."""
    if (known := _ODD_SIZES.get(instance_type)) is not None:
        return known
    if (found := _SIZE.fullmatch(instance_type)) is None:
        return None
    return 2 if found["large"] else 4 * int(found["times"] or 1)


def _sharding(question: Question, instances: Choice, payload: Choice, concurrency: Choice) -> Sharding | None:
    if question.wishes is None:
        return None
    strategy = question.values.get("batch_strategy")
    wishes = replace(
        question.wishes,
        instance_count=instances.value,
        max_payload_in_mb=payload.value,
        max_concurrent_transforms=concurrency.value,
        batch_strategy=BatchStrategy(strategy) if strategy in set(BatchStrategy) else None,
    )
    load = question.load
    return sharding(wishes, Rows(size=load.total, count=load.records, longest=load.longest))


# --------------------------------------------------------------------------------------------------- what to expect


def _expected(question: Question, count: int) -> Expected:
    pace, load = question.pace, question.load
    if pace is None:
        no_cost = "not known without the time"
        return Expected(
            provisioning_seconds=None, transform_seconds=None, why_time=question.no_pace,
            cost=None, currency=None, why_cost=no_cost,
        )  # fmt: skip
    busiest, rate = load.busiest(count), pace.bytes_per_second
    seconds = busiest / rate
    price, spent = question.price, None
    if price is None:
        why_cost = f"no price of {question.values.get('instance_type') or 'the instance type'} is known in this Region"
    else:
        spent = cost(seconds * count, price)
        why_cost = f"{count} x {price.per_hour} {price.currency} an hour (price of {price.date})"
    return Expected(
        provisioning_seconds=pace.provisioning_seconds,
        transform_seconds=round(seconds, 3),
        why_time=f"{in_units(busiest)} on the busiest instance, {in_units(rate)} a second: {pace.source}",
        cost=spent,
        currency=price.currency if price else None,
        why_cost=why_cost,
    )


_UNITS: Sequence[tuple[float, str]] = ((MIB * 1024.0, "GB"), (float(MIB), "MB"), (1024.0, "KB"))


def in_units(size: float) -> str:
    """Write a size for people, in the units that MaxPayloadInMB has too."""
    unit, name = next(((unit, name) for unit, name in _UNITS if size >= unit), (1.0, "bytes"))
    return f"{size / unit:.1f} {name}" if unit > 1 else f"{size:.0f} bytes"


_SPANS: Sequence[tuple[float, str]] = ((3600.0, "h"), (60.0, "min"))


def spoken(seconds: float) -> str:
    """Write a time limit as a user would: 90 s, 30 min, 2 h."""
    unit, name = next(((unit, name) for unit, name in _SPANS if seconds >= unit and seconds % unit == 0), (1.0, "s"))
    return f"{seconds / unit:g} {name}"
