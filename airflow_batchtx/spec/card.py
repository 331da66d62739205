"""What Airflow's page of jobs knows of a task's job: one small XCom, from the job's beginning to after its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_batchtx.spec.result import TransformResult

# The key of the XCom.
CARD = "batchtx_job"
# Characters of a reason that are kept: errors name objects, and quote what models said.
_LONGEST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCard:
    """A task's job, as it was when the task last knew: `result` has its status then, InProgress at first.

    `aws_conn_id`, `region_name` and `verify` are the task's way to AWS, by which a page may look at the job: the name
    of a connection, never what is in it. An instance costs `per_hour` in `currency`, None where no price is known.
    `reason` says why the task did not take the job for a success.
    """

    result: TransformResult
    aws_conn_id: str | None = "aws_default"
    region_name: str | None = None
    verify: bool | str | None = None
    per_hour: float | None = None
    currency: str | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON; what a result does not tell is left out, so that SQL finds a NULL there."""
        told = {name: value for name, value in self.result.to_dict().items() if value is not None}
        return {**asdict(self), "version": 1, "result": told, "reason": self.reason[:_LONGEST]}

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> JobCard:
        """Read what `to_dict` wrote; members that a later version added are ignored, those it left out are unknown."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        return cls(**{**known, "result": TransformResult.read(value.get("result") or {})})
