"""`batchtx plan`: what a job should be like for its input, what it will take and cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_batchtx.cli import showing
from airflow_batchtx.control.drafting import heads, inputs_of
from airflow_batchtx.control.pace import Wanted, pace_of
from airflow_batchtx.control.prices import price_table
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import InvalidInput, InvalidJob, Problem, refuse
from airflow_batchtx.planning.proposal import Expected, Load, Pace, Proposal, Question, proposed
from airflow_batchtx.planning.sampling import longest_line
from airflow_batchtx.planning.settings import MIB
from airflow_batchtx.preparation.objects import chosen
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.preparation.sampling import sample
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import CompressionType, SplitType
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prepared import settled
from airflow_batchtx.spec.validation import problems

# A table is only looked at: nothing is written there.
_NOWHERE = "s3://batchtx-plan-writes-nothing/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What is to be transformed: in words, and as it is planned by."""

    told: str
    load: Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A proposal, and the input that it is for."""

    input: Input
    proposal: Proposal


def completed(request: Mapping[str, Any], members: Any) -> wire.Request:
    """Put members that the command line gives over those of a request."""
    whole = wire.coerced(request)
    for name, value in asdict(members).items():
        if value is not None:
            wire.put(whole, BY_NAME[name].path, value)
    return whole


@dataclass(frozen=True)
class Thought:
    """All that the command line says: `table` are options of a prepare task, by name, `within` is in seconds."""

    services: Services
    request: wire.Request
    table: Mapping[str, Any]
    within: float | None
    mb_per_second: float | None
    control_prefix: str | None
    prices: str | None

    def proposal(self) -> Found:
        """Look at the input, at former jobs and at prices, and think the job through; InvalidJob for no job at all."""
        refuse(InvalidJob, "plan", [problem for problem in problems(self.request) if problem.value is not None])
        table = PrepareRequest.read({**self._as_the_job_is, **self.table, "output": _NOWHERE}) if self.table else None
        found = self._of_request() if table is None else self._of_table(table)
        pace, no_pace = self._pace
        prices, instance_type = price_table(self.prices), self._values.get("instance_type")
        question = Question(
            load=found.load,
            values=self._values,
            pace=pace,
            no_pace=no_pace,
            within=self.within,
            price=prices.price(self.services.jobs.region, instance_type) if instance_type else None,
            wishes=None if table is None or table.whole else table.wishes,
        )
        return Found(input=found, proposal=proposed(question))

    @cached_property
    def _values(self) -> Mapping[str, Any]:
        return wire.flat(settled(self.request)[0])

    @property
    def _as_the_job_is(self) -> dict[str, Any]:
        """Give what a job's request says of the shards that it wants."""
        return {"content_type": self._values["content_type"]} if "content_type" in self._values else {}

    @property
    def _pace(self) -> tuple[Pace | None, str]:
        if self.mb_per_second:
            return Pace(bytes_per_second=self.mb_per_second * MIB, source="--mb-per-second"), ""
        if (model := self._values.get("model_name")) is None:
            return None, "give --model-name, whose former jobs tell how fast it is, or --mb-per-second"
        wanted = Wanted(
            model_name=model,
            instance_type=self._values.get("instance_type"),
            compression=self._values.get("compression_type", CompressionType.NONE.value),
        )
        pace, why_not = pace_of(self.services, wanted, self.control_prefix)
        return pace, why_not and f"{why_not}: give --mb-per-second, or run one"

    def _of_table(self, request: PrepareRequest) -> Input:
        if request.whole:
            return _of_objects([one.size for one in chosen(self.services.store, request).objects])
        found = sample(self.services.store, request)
        told = (
            f"{showing.counted(found.objects, 'object')} of {showing.size(found.source)}; by the {found.rows:,} rows"
            f" that were read about {found.all_rows:,} rows, {showing.size(found.all_lines)} for the model"
        )
        load = Load(total=found.all_lines, records=found.all_rows, longest=found.longest)
        return Input(told=told, load=load)

    def _of_request(self) -> Input:
        request, prepared = settled(self.request)
        if "input" not in self._values:
            problem = Problem(BY_NAME["input"].label, None, "is needed", "Put it in the request, or give --source.")
            raise InvalidInput("plan", (problem,))
        inputs = inputs_of(self.services.store, request, prepared, Policy())
        sizes = [one.size for one in inputs.chosen]
        if self._values.get("split_type", SplitType.NONE) == SplitType.NONE:
            return _of_objects(sizes)
        sampled = heads(self.services.store, request, inputs)
        lines, read = sum(head.count(b"\n") for head in sampled), sum(map(len, sampled))
        records = sum(one.rows for one in prepared) if prepared else round(sum(sizes) * lines / read) if lines else None
        longest = max(map(longest_line, sampled), default=None)
        load = Load(total=sum(sizes), objects=sizes, records=records, longest=longest)
        about = f", {'' if prepared else 'about '}{records:,} records" if records is not None else ""
        return Input(told=f"{_objects(sizes)}{about}", load=load)


def _of_objects(sizes: Sequence[int]) -> Input:
    load = Load(total=sum(sizes), objects=sizes, records=len(sizes), whole=True)
    return Input(told=f"{_objects(sizes)}, each sent whole", load=load)


def _objects(sizes: Sequence[int]) -> str:
    return f"{showing.counted(len(sizes), 'object')} of {showing.size(sum(sizes))}"


# ------------------------------------------------------------------------------------------------------- showing it


def machine(found: Found) -> dict[str, Any]:
    """Write it for machines: `members` are those of the job, by the names that a TransformJob has them by."""
    proposal, load = found.proposal, found.input.load
    return {
        "input": {
            "bytes": load.total,
            "objects": None if load.objects is None else len(load.objects),
            "records": load.records,
            "longest_record": load.longest,
            "told": found.input.told,
        },
        "members": proposal.members,
        "why": {choice.member: choice.why for choice in proposal.choices},
        "sharding": asdict(proposal.sharding) if proposal.sharding else None,
        "expected": asdict(proposal.expected),
    }


def show(found: Found) -> None:
    """Print it for people."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="cyan")
    table.add_column(overflow="fold", style="dim")
    for row in (("input", "", found.input.told), *_chosen(found.proposal), *_expected(found.proposal.expected)):
        table.add_row(*map(Text, row))
    Console().print(table)


Row: TypeAlias = tuple[str, str, str]


def _chosen(proposal: Proposal) -> Iterator[Row]:
    for choice in proposal.choices:
        yield choice.member, "" if choice.value is None else str(choice.value), choice.why
    if (sharding := proposal.sharding) is not None:
        yield "shards", showing.size(sharding.shard_bytes), " ".join(sharding.reasons)


def _expected(expected: Expected) -> Iterator[Row]:
    before = "not known" if expected.provisioning_seconds is None else "as that job had"
    yield "provisioning", showing.duration(expected.provisioning_seconds) or _UNKNOWN, before
    yield "transform", showing.duration(expected.transform_seconds) or _UNKNOWN, expected.why_time
    spent = _UNKNOWN if expected.cost is None else f"{expected.cost:.4f} {expected.currency}"
    yield "cost", spent, expected.why_cost


_UNKNOWN = "?"
