"""What an associate task is asked for. Pure: a DAG is checked by it without any data library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from airflow_batchtx.errors import InvalidInput, Problem, refuse
from airflow_batchtx.spec import options
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.media import media_type
from airflow_batchtx.spec.options import Option, read_options
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri

FORMATS = ("parquet", "csv")
# Arrow's names, from the narrowest type to the one that holds everything.
TYPES = ("int64", "double", "string")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRequest:
    """Which job's answers become which table.

    `result` is what a transform task returned. `format` is "parquet" or "csv".
    `predictions`: the model's columns by name, each with its Arrow type, or None for the narrowest of int64, double
    and string that holds every value of the job. None altogether: `prediction` where the model gives one column,
    else `prediction_0`, `prediction_1`, and so on.
    """

    result: TransformResult
    output: S3Uri
    format: str = "parquet"
    predictions: Mapping[str, str | None] | None = None

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> AssociateRequest:
        """Read the options that a DAG gave, rendered; InvalidInput names everything that is wrong with them."""
        return cls(**check(values))

    @property
    def manifest(self) -> S3Uri:
        """The object that lists the parts."""
        return self.output / "_manifest.json"

    @property
    def ahead(self) -> S3Uri:
        """The object that says, while the table is written, which parts are ours."""
        return self.output / "_writing.json"

    @property
    def success(self) -> S3Uri:
        """The object that is written last."""
        return self.output / "_SUCCESS"


def _result(value: Any) -> TransformResult:
    if not isinstance(value, Mapping) or not {"job_name", "input", "output"} <= value.keys():
        raise TypeError("must be what a BatchTransformOperator returned")
    result = TransformResult.read(value)
    # What is on record is proved object by object: a job that Failed may have left none out.
    if result.status != JobStatus.COMPLETED and result.record is None:
        raise ValueError(f"the job is {result.status}: its output is not whole")
    if result.accept and media_type(result.accept) != "text/csv":
        raise ValueError(f"the job's answers are {result.accept}, where text/csv is read")
    return result


def _predictions(value: Any) -> dict[str, str | None]:
    if not isinstance(value, Mapping):
        return dict.fromkeys(options.names(value))
    if strange := [kind for kind in value.values() if kind is not None and kind not in TYPES]:
        raise ValueError(f"has types {strange}; known are {', '.join(TYPES)}")
    return {name: value[name] for name in options.names(list(value))}


OPTIONS: Mapping[str, Option] = {
    "result": Option(_result, "Give the output of a transform task, such as run.output."),
    "output": Option(options.folder, "Give an S3 prefix for the table, such as s3://bucket/scored/."),
    "format": Option(options.one_of(FORMATS), "Parquet keeps types; CSV is text."),
    "predictions": Option(options.optional(_predictions), 'Give a name, names, or types: {"score": "double"}.'),
}


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options that are known by now, read; InvalidInput names everything that is wrong with them."""
    given = {name.name: values[name.name] for name in fields(AssociateRequest) if name.name in values}
    known, wrong = read_options({name: OPTIONS[name] for name in given}, given)
    refuse(InvalidInput, "associate", [*wrong, *_overlaps(known)])
    return known


def _overlaps(known: Mapping[str, Any]) -> Iterator[Problem]:
    if "output" not in known or "result" not in known:
        return iter(())
    return inside_each_other(known["output"], _places(known["result"]), "the job's own")


def _places(result: TransformResult) -> Iterator[S3Uri]:
    """Give what a job read, wrote, and kept its record in."""
    if not reads_manifest(result):
        yield S3Uri.parse(result.input)
    yield S3Uri.parse(result.output).as_folder()
    if result.control is not None:
        yield S3Uri.parse(result.control)


def reads_manifest(result: TransformResult) -> bool:
    """Tell whether a job was sent its objects by a manifest that job control made: then its input says none of them."""
    return result.control is not None and S3Uri.parse(result.control).covers(S3Uri.parse(result.input))


def inside_each_other(output: S3Uri, taken: Iterable[S3Uri], whose: str) -> Iterator[Problem]:
    """Find what the table's prefix lies in, or what lies in it: who reads the one would read the other."""
    for other in taken:
        if output.overlaps(other):
            where = "into" if other.covers(output) else "around"
            rule = f"would write the table {where} {whose} {other}"
            yield Problem("output", str(output), rule, "Choose a prefix beside it.")
