"""From a request to a piece of work: checked, its input settled, its control folder known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_batchtx.control.assignment import Assignment
from airflow_batchtx.control.ledger import default_prefix
from airflow_batchtx.errors import InvalidJob, Problem, refuse
from airflow_batchtx.planning.addresses import addressed
from airflow_batchtx.spec import options, wire
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.naming import Identity
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prepared import settled
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.spec.validation import problems

OUTPUT = BY_NAME["output"].path


def assigned(
    request: Mapping[str, Any],
    *,
    identity: Identity,
    prefix: str,
    epoch: int | None,
    policy: Policy,
    control_prefix: str | None,
) -> Assignment:
    """Read a CreateTransformJob request as a piece of work; InvalidJob names all that is wrong with it.

    Attempts are kept below `control_prefix`; beside the output where it is None.
    """
    known = wire.coerced(request)
    refuse(InvalidJob, "transform job", problems(known))
    known, prepared = settled(addressed(known))
    return Assignment(
        identity=identity,
        prefix=prefix,
        epoch=epoch,
        request=known,
        prepared=prepared,
        policy=policy,
        control=control_of(S3Uri.parse(wire.at(known, OUTPUT)), control_prefix),
    )


def control_of(output: S3Uri, control_prefix: str | None) -> S3Uri:
    """Give the prefix of the control folders of what writes to `output`; InvalidJob where it is no S3 prefix."""
    if not control_prefix:
        return default_prefix(output)
    try:
        return options.folder(control_prefix)
    except ValueError as error:
        problem = Problem("control_prefix", control_prefix, str(error), "Give s3://bucket/prefix/.")
        raise InvalidJob("job control", (problem,)) from error
