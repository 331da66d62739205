"""What a piece of work took and made, as numbers for a monitoring service; the units are CloudWatch's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_batchtx.spec.associated import AssociatedOutput
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.result import TransformResult

COUNT, SECONDS, NONE = "Count", "Seconds", "None"


@dataclass(frozen=True, slots=True)
class Measure:
    """One number."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Whose numbers they are; a model that is not known is left out."""

    dag_id: str
    task_id: str
    model_name: str = ""

    @property
    def dimensions(self) -> dict[str, str]:
        """Name it as CloudWatch does."""
        known = {"DagId": self.dag_id, "TaskId": self.task_id, "ModelName": self.model_name}
        return {name: value for name, value in known.items() if value}


def model_of(result: TransformResult) -> str:
    """Name the model of a job's numbers; nothing where it was made for this work alone.

    Its name is another one with each run: each would be metrics of its own, which CloudWatch bills one by one.
    """
    return "" if result.own_model else result.model_name


def of_transform(result: TransformResult) -> tuple[Measure, ...]:
    """Give the numbers of a job that has ended, those that are known.

    None of a job that was reused: they were told when it ended, and summed up it would cost twice.
    """
    return () if result.reused else tuple(_of_job(result))


def of_table(table: AssociatedOutput) -> tuple[Measure, ...]:
    """Give the numbers of a proved table, or of a share of it."""
    return (Measure("ScoredRows", table.rows, COUNT), *of_dead_letters(table.dead_rows))


def of_dead_letters(rows: int) -> tuple[Measure, ...]:
    """Give the numbers of dead letters, where there may be too many of them for a table."""
    return (Measure("DeadRows", rows, COUNT),)


def _of_job(result: TransformResult) -> Iterator[Measure]:
    yield Measure("FailedJobs", float(result.status == JobStatus.FAILED), COUNT)
    yield Measure("StoppedJobs", float(result.status == JobStatus.STOPPED), COUNT)
    known = (
        ("SentRows", result.rows, COUNT),
        ("ScoredObjects", result.objects_done, COUNT),
        ("ProvisioningSeconds", result.provisioning_seconds, SECONDS),
        ("TransformSeconds", result.transform_seconds, SECONDS),
        ("InstanceSeconds", result.instance_seconds, SECONDS),
        # A currency is no unit of CloudWatch's, and sums over several mean nothing.
        (f"Cost{result.currency}", result.cost if result.currency else None, NONE),
    )
    yield from (Measure(name, value, unit) for name, value, unit in known if value is not None)
