"""From a request to a piece of work: checked, its input settled, its control folder known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from airflow_batchtx.spec.templates import is_open
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.spec.validation import problems

OUTPUT, ENVIRONMENT = BY_NAME["output"].path, "environment"


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
    refuse(InvalidJob, "transform job", (*problems(known), *_templates(known)))
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


def _templates(request: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what no check has looked at, since it was to be rendered; an environment is the model's affair."""
    for name, value in wire.flat(request).items():
        if name != ENVIRONMENT and is_open(value):
            rule = "is a template, which only Airflow renders: not from a shell, nor in what another task returned"
            yield Problem(BY_NAME[name].label, value, rule, "Put a value.")


def control_of(output: S3Uri, control_prefix: str | None) -> S3Uri:
    """Give the prefix of the control folders of what writes to `output`; InvalidJob where it is no S3 prefix."""
    if not control_prefix:
        return default_prefix(output)
    try:
        return options.folder(control_prefix)
    except ValueError as error:
        problem = Problem("control_prefix", control_prefix, str(error), "Give s3://bucket/prefix/.")
        raise InvalidJob("job control", (problem,)) from error
