"""How fast a model was: told by its newest job that Completed and whose input is known to the byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from airflow_batchtx.control.assigning import OUTPUT, control_of
from airflow_batchtx.control.ledger import Ledger
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import BatchTransformError
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.planning.proposal import Load, Pace, in_units
from airflow_batchtx.planning.transfers import is_marker
from airflow_batchtx.sagemaker.jobs import PAGE, Described
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import CompressionType, JobStatus, S3DataType
from airflow_batchtx.spec.intent import Intent
from airflow_batchtx.spec.prepared import INPUT_PATH
from airflow_batchtx.storage.port import ObjectStore

# Jobs that are described at most: a list does not tell which model a job ran.
LOOKS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a former job must have in common with one that is to be. `instance_type` None takes any."""

    model_name: str
    instance_type: str | None
    compression: str = CompressionType.NONE.value

    def fits(self, values: Mapping[str, Any]) -> bool:
        """Tell whether a job with these members is such a one."""
        compression = values.get("compression_type", CompressionType.NONE.value)
        return (
            values["model_name"] == self.model_name
            and self.instance_type in {None, values["instance_type"]}
            and compression == self.compression
        )


def pace_of(services: Services, wanted: Wanted, control_prefix: str | None) -> tuple[Pace | None, str]:
    """Give how fast such a job was, or else why nobody knows. JobRefused or ServiceUnavailable.

    Jobs of this package have their input on record; of others it is what lies below their prefix, if that is older than
    the job.
    """
    seen = 0
    for described in _newest(services):
        if wanted.fits(wire.flat(described)):
            seen += 1
            if (pace := _pace(services, described, control_prefix)) is not None:
                return pace, ""
    of = f"of model {wanted.model_name}" + (f" on {wanted.instance_type}" if wanted.instance_type else "")
    if seen:
        return None, f"the input of no former job {of} is known any more"
    return None, f"among the {LOOKS} newest jobs that Completed none is {of}"


def _newest(services: Services) -> Iterator[Described]:
    jobs = services.jobs.listed(pages=-(-LOOKS // PAGE), status=JobStatus.COMPLETED.value)
    return (services.jobs.describe(job["TransformJobName"]) for job in islice(jobs, LOOKS))


def _pace(services: Services, described: Described, control_prefix: str | None) -> Pace | None:
    sizes = _sizes(services, described, control_prefix)
    values = wire.flat(described)
    created, started, ended = (
        described.get(name) for name in ("CreationTime", "TransformStartTime", "TransformEndTime")
    )
    if not any(sizes) or created is None or started is None or ended is None or ended <= started:
        return None
    seconds, count = (ended - started).total_seconds(), values["instance_count"]
    share = Load(total=sum(sizes), objects=sizes).busiest(count)
    took = f"{in_units(share)} in {seconds:.0f} s, {count} x {values['instance_type']}"
    return Pace(
        bytes_per_second=share / seconds,
        source=f"job {described['TransformJobName']} of {created:%Y-%m-%d} ({took})",
        provisioning_seconds=round((started - created).total_seconds(), 3),
        max_concurrent_transforms=values.get("max_concurrent_transforms"),
        max_payload_in_mb=values.get("max_payload_in_mb"),
    )


def _sizes(services: Services, described: Described, control_prefix: str | None) -> list[int]:
    """Give the bytes of each object that a job read, in the order of their keys; nothing where that is not known."""
    try:
        ledger = Ledger(services.store, control_of(address(wire.at(described, OUTPUT)), control_prefix))
        written = ledger.intent(described["TransformJobName"])
        return _listed(services.store, described) if written is None else _sent(written.intent)
    except (BatchTransformError, ValueError):
        return []  # what may not be looked at tells nothing


def _sent(intent: Intent) -> list[int]:
    return [one.size for one in sorted(intent.objects, key=lambda one: one.uri.encode()) if one.done is None]


def _listed(store: ObjectStore, described: Described) -> list[int]:
    if wire.flat(described).get("s3_data_type") != S3DataType.S3_PREFIX:
        return []
    found = [one for one in store.objects(address(wire.at(described, INPUT_PATH))) if not is_marker(one.uri)]
    created = described["CreationTime"]
    older = all(one.last_modified is not None and one.last_modified <= created for one in found)
    return [one.size for one in found] if older else []
