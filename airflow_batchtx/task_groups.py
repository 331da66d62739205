"""Prepare, transform, associate: wired in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from airflow.sdk import TaskGroup, conf
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_batchtx.association.request import inside_each_other
from airflow_batchtx.control.ledger import default_prefix
from airflow_batchtx.errors import InvalidInput, InvalidJob, Problem, refuse
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator
from airflow_batchtx.operators.data import shares as shares_of
from airflow_batchtx.planning.overlaps import CONTROL
from airflow_batchtx.planning.overlaps import problems as overlapping
from airflow_batchtx.preparation.request import is_folder, overlaps
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.job import TransformJob
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.prepared import INPUT_PATH
from airflow_batchtx.spec.templates import Reference, Text
from airflow_batchtx.spec.uri import S3Uri

Options = Mapping[str, Any]


def scoring(  # noqa: PLR0913 - the options of three tasks, by name only
    *,
    source: Text | Sequence[str] | None = None,
    job: TransformJob | Mapping[str, Any],
    output: Text,
    keep: Sequence[str] | Reference = (),
    columns: Sequence[str] | Reference | None = None,
    mapped: bool = False,
    shares: int = 1,
    group_id: str = "scoring",
    default_args: Options | None = None,
    prepare: Options | None = None,
    transform: Options | None = None,
    associate: Options | None = None,
) -> TaskGroup:
    """Score the tables at `source`, and write them with their `keep` columns and predictions to `output`.

    The rows of a query take the place of tables by `prepare={"sql": "SELECT ...", "sql_conn_id": "warehouse"}`.

    Gives a group of three tasks: `prepare`, `transform` and `associate`. A job reads its input from where prepare
    writes it, so the job's own `input` says where that is: the prefix of the shards. They are of the job's content
    type, and planned for its instances, payload and concurrency.

    `mapped` has a prepare task for each of a list of sources, and one job over what all of them wrote. With `shares`
    so many tasks associate, each its part of one and the same table; `predictions` need their types then
    (`associate={"predictions": {"score": "double"}}`), since none of the tasks sees all answers.

    InvalidInput names everything that would be written into what is read, or over it, as far as it is known by now.

    `default_args` go to all three tasks (`{"aws_conn_id": "prod", "retries": 2}`); `prepare`, `transform` and
    `associate` are further arguments of one of them (`transform={"deferrable": True, "max_cost": 25}`).
    """
    request = job.to_request() if isinstance(job, TransformJob) else job
    preparing: dict[str, Any] = {
        "source": source,
        "output": _staging(request),
        "columns": columns,
        "keep": keep,
        **_as_the_job_is(request),
        **(prepare or {}),
    }
    places = preparing["source"], preparing["output"], wire.at(request, BY_NAME["output"].path), output
    options = {**(default_args or {}), **(transform or {})}
    refuse(
        InvalidInput,
        "scoring",
        [
            *_overlaps(*places),
            *_around_control(options, *places),
            *_not_waited_for(options),
            *_not_in_parts(source, associate or {}, mapped=mapped, shares=shares),
        ],
    )
    common: Any = dict(default_args or {})  # mypy cannot tell what the converter of this argument takes
    with TaskGroup(group_id, default_args=common) as group:
        prepared = _prepared(preparing, mapped=mapped)
        scored = BatchTransformOperator(task_id="transform", job=_reading(job, prepared.output), **(transform or {}))
        _associated({"result": scored.output, "output": output, **(associate or {})}, shares)
    return group


def _as_the_job_is(request: Mapping[str, Any]) -> dict[str, Any]:
    """Give what decides how shards are cut, as far as the job says it."""
    said = {name: wire.at(request, BY_NAME[name].path) for name in _OF_JOB}
    return {name: value for name, value in said.items() if value is not None}


_OF_JOB = ("content_type", "instance_count", "max_payload_in_mb", "max_concurrent_transforms")


def _prepared(options: Mapping[str, Any], *, mapped: bool) -> PrepareInputOperator | MappedOperator:
    if not mapped:
        return PrepareInputOperator(task_id="prepare", **options)
    alike = {name: value for name, value in options.items() if name != "source"}
    return PrepareInputOperator.partial(task_id="prepare", **alike).expand(source=options["source"])


def _associated(options: Mapping[str, Any], count: int) -> AssociateOutputOperator | MappedOperator:
    if count == 1:
        return AssociateOutputOperator(task_id="associate", **options)
    return AssociateOutputOperator.partial(task_id="associate", **options).expand(share=shares_of(count))


def _staging(request: Mapping[str, Any]) -> str:
    staging = wire.at(request, INPUT_PATH)
    if not isinstance(staging, str):
        remedy = "Give s3://bucket/prefix/; the job reads what prepare has written there."
        raise InvalidJob(
            "scoring", (Problem(BY_NAME["input"].label, staging, "must be the prefix that prepare writes to", remedy),)
        )
    return staging


def _reading(job: TransformJob | Mapping[str, Any], prepared: Any) -> TransformJob | wire.Request:
    if isinstance(job, TransformJob):
        return replace(job, input=prepared)
    request = wire.copied(job)
    wire.put(request, INPUT_PATH, prepared)
    return request


def _overlaps(source: Any, staging: Any, answers: Any, output: Any) -> Iterator[Problem]:
    """Find, of the four places that data goes to, those which take in or overwrite another."""
    sources = tuple(_uris(source))
    folders = [uri for uri in sources if is_folder(uri)]
    staged = [prefix.as_folder() for prefix in _uris(staging)]
    shards = [prefix / name for prefix in staged for name in ("shards/", "kept/")]
    answered = [prefix.as_folder() for prefix in _uris(answers)]
    for prefix in (prefix.as_folder() for prefix in _uris(output)):
        taken = [uri for uri in sources if is_folder(uri) or prefix.covers(uri)]
        yield from inside_each_other(prefix, taken, "the source")
        written = [*shards, *(prefix / "manifest.json" for prefix in staged)]
        yield from inside_each_other(prefix, written, "what prepare writes,")
        yield from inside_each_other(prefix, answered, "the job's own")
    for prefix in staged:
        for problem in overlaps(sources, prefix):
            yield replace(problem, field=BY_NAME["input"].label)
    for prefix in answered:
        for taken_from in (other for other in (*folders, *shards) if other.covers(prefix)):
            rule = f"would have the job write into {taken_from}, which is read"
            yield Problem(BY_NAME["output"].label, str(prefix), rule, "Choose a prefix beside it.")


def _around_control(options: Options, source: Any, staging: Any, answers: Any, output: Any) -> Iterator[Problem]:
    """Find what takes in the prefix of job control, whose records are no data."""
    chosen = options.get(CONTROL) or conf.get("batchtx", CONTROL, fallback=None)
    control = [prefix.as_folder() for prefix in _uris(chosen)] if chosen else [*map(default_prefix, _uris(answers))]
    read = [uri for uri in _uris(source) if is_folder(uri)]
    shards = [prefix.as_folder() / "shards/" for prefix in _uris(staging)]
    yield from overlapping({"input": [*read, *shards], CONTROL: control})
    for written in (answers, output):
        yield from overlapping({"output": [prefix.as_folder() for prefix in _uris(written)], CONTROL: control})


def _not_waited_for(options: Options) -> Iterator[Problem]:
    if options.get("wait_for_completion") is False:
        remedy = "Leave it out; deferrable=True waits without a worker slot."
        yield Problem("wait_for_completion", False, "leaves nothing that could be associated", remedy)


def _not_in_parts(source: Any, associate: Options, *, mapped: bool, shares: int) -> Iterator[Problem]:
    """Find what cannot be shared between tasks."""
    if mapped and not isinstance(source, list | tuple | Mapping | Reference):
        remedy = "Give a list of sources, or the output of a task that returns one."
        yield Problem("source", source, "is one source, of which there is a prepare task for each", remedy)
    if not isinstance(shares, int) or shares < 1:
        yield Problem("shares", shares, "must be a whole number, at least 1", "Give the number of associate tasks.")
    elif shares > 1 and not isinstance(associate.get("predictions"), Mapping | Reference):
        remedy = 'Give associate={"predictions": {"score": "double"}}.'
        yield Problem("predictions", associate.get("predictions"), "must have types where several tasks write", remedy)


def _uris(value: Any) -> Iterator[S3Uri]:
    """Give the URIs among texts; what two templates begin with alike, they render alike."""
    for text in value if isinstance(value, list | tuple) else [value]:
        with suppress(ValueError):
            if isinstance(text, str):
                yield S3Uri.parse(text)
