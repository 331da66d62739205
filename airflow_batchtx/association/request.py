"""What an associate task is asked for. Pure: a DAG is checked by it without any data library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_batchtx.association import writing
from airflow_batchtx.errors import InvalidInput, InvalidJsonPath, Problem, refuse
from airflow_batchtx.records import jsonpath
from airflow_batchtx.spec import options
from airflow_batchtx.spec.allowance import Allowance
from airflow_batchtx.spec.enums import JobStatus, SplitType
from airflow_batchtx.spec.options import Option, read_options
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.share import Share
from airflow_batchtx.spec.uri import S3Uri

# Arrow's names, from the narrowest type to the one that holds everything; a column's type is found among these.
TYPES = ("int64", "double", "bool", "string", "binary")
# Types that a column has only where it is given one: compact JSON of whatever it holds, and what Arrow can cast to.
JSON = "json"
_GIVEN = re.compile(
    r"json|u?int(8|16|32|64)|float(16|32|64)|float|date(32|64)|time32\[m?s\]|time64\[[un]s\]"
    r"|timestamp\[[mun]?s(, ?tz=[^\]\s]+)?\]|decimal(32|64|128|256)\( ?\d+ ?(, ?-?\d+ ?)?\)"
)
# Readings of JSON answers; any other is the path of a member that holds a list of them.
DOCUMENT, ARRAY = "document", "array"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRequest:
    """Which job's answers become which table.

    `result` is what a transform task returned, or what is known of a job by its name or of no job at all (see `read`).
    `predictions`: the model's columns by name, each with its Arrow type (or "json" for compact JSON text), or None for
    the narrowest of int64, double, bool, string and binary that holds every value of the job. None altogether: members
    of JSON objects by their names, else `prediction` where the model gives one column, or `prediction_0`,
    `prediction_1`, and so on. Of JSON objects only the named members are taken, which every record must have.
    `answer`: which part of JSON answers a record: "document", "array" (an element of the lists that the documents
    are), or the path of a member that holds such a list, such as "predictions". None: found by counting, if only one
    gives as many answers as there are rows.
    `input_columns`: the cells of CSV input without a header, or members of JSON Lines input, that stand beside the
    predictions where the input was not prepared; None for `input_object` and `record`, the place of a row.
    `key`: a column of the rows that the answers have as well; then each row gets the answer with its key.

    `format` is "parquet", "csv" or "jsonlines". `partition_by`: columns that stand in the names of folders.
    `table_per`: names of folders in the inputs' paths, such as "day" for `day=2026-01-01/`, each of which has a table
    of its own below a folder of the same name. `folder` is that of one such table, None for all of them.
    `error_member`: the member of JSON answers, or the column of `predictions`, that says of a record why it was
    refused; such rows are dead letters, and it is no column of the table. `on_missing`: "dead_letter" for the rows of
    inputs without output, where the job has a record. `max_dead`: how many dead letters there may be, and whether
    predictions that are not of a given type are among them.
    `processes` write at once. `share`: this task writes one of several shares; the last of them makes the table whole.
    """

    result: TransformResult
    output: S3Uri
    format: str = "parquet"
    predictions: Mapping[str, str | None] | None = None
    answer: str | None = None
    input_columns: tuple[str, ...] | None = None
    key: str | None = None
    partition_by: tuple[str, ...] = ()
    table_per: tuple[str, ...] = ()
    folder: str | None = None
    error_member: str | None = None
    on_missing: str = writing.FAIL
    max_dead: Allowance = writing.NONE
    processes: int = 1
    share: Share | None = None

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> AssociateRequest:
        """Read the options that a DAG gave, rendered; InvalidInput names everything that is wrong with them.

        Beside the members there are other ways to say what is read: `input` and `answers`, two prefixes, in the place
        of `result`; and `content_type`, `split_type` and `accept` where the result, or nobody, tells them.
        """
        known = check(values)
        # The last to be said: without it there is nothing to associate.
        refuse(InvalidInput, "associate", _unresolved(known))
        return cls(
            **{name: known[name] for name in cls.__dataclass_fields__ if name in known} | {"result": told(known)}
        )

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

    @property
    def dead_letters(self) -> S3Uri:
        """The folder of the rows that are not in the table."""
        return self.output / "_dead_letters/"

    @property
    def shares(self) -> S3Uri:
        """The folder that tells, while a table is written in shares, which of them are whole."""
        return self.output / "_shares/"


def _result(value: Any) -> TransformResult:
    if not isinstance(value, Mapping) or not {"job_name", "input", "output"} <= value.keys():
        raise TypeError("must be what a BatchTransformOperator returned")
    result = TransformResult.read(value)
    # What is on record is proved object by object: a job that Failed may have left none out.
    if result.status != JobStatus.COMPLETED and result.record is None:
        raise ValueError(f"the job is {result.status}: its output is not whole")
    return result


def _predictions(value: Any) -> dict[str, str | None]:
    if not isinstance(value, Mapping):
        return dict.fromkeys(options.names(value))
    known = [
        kind is None or kind in TYPES or (isinstance(kind, str) and _GIVEN.fullmatch(kind)) for kind in value.values()
    ]
    if strange := [kind for kind, is_known in zip(value.values(), known, strict=True) if not is_known]:
        raise ValueError(
            f"has types {strange}; known are {', '.join((*TYPES, JSON))}, int32, float32, timestamp[us], ..."
        )
    return {name: value[name] for name in options.names(list(value))}


def _answer(value: Any) -> str:
    """Read which part of JSON is an answer; a path in one form."""
    if value in (DOCUMENT, ARRAY):
        return str(value)
    if not isinstance(value, str) or not value:
        raise TypeError(f"must be {DOCUMENT}, {ARRAY} or the path of a member")
    path = value if value.startswith(jsonpath.ROOT) else f"{jsonpath.ROOT}.{value}"
    return ".".join((jsonpath.ROOT, *_steps(path)))


def member_path(answer: str) -> tuple[str, ...]:
    """Give the names on the way to the list that holds the answers, none where the documents are lists."""
    return () if answer == ARRAY else _steps(answer)


def _steps(path: str) -> tuple[str, ...]:
    try:
        steps = jsonpath.parsed(path).steps
    except InvalidJsonPath as error:
        raise ValueError(error.detail) from error
    names = tuple(step.name for step in steps if isinstance(step, jsonpath.Name))
    if not names or len(names) != len(steps):
        raise ValueError("must be a path of names, such as predictions or $.outputs.scores")
    return names


def _column(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be the name of a column")
    return value


def _split_type(value: Any) -> str | None:
    """Read how an object is cut; None as a text is AWS's own word."""
    return None if value in (None, "") else options.one_of([kind.value for kind in SplitType])(value)


_TYPE = "Give it as a transform job has it."
OPTIONS: Mapping[str, Option] = {
    "result": Option(options.optional(_result), "Give the output of a transform task, such as run.output."),
    "job_name": Option(options.optional(options.text), "Give the name of a transform job that has ended."),
    "input": Option(options.optional(options.uri), "Give the S3 prefix of what a model was sent."),
    "answers": Option(options.optional(options.folder), "Give the S3 prefix of the outputs, which end in .out."),
    "output": Option(options.folder, "Give an S3 prefix for the table, such as s3://bucket/scored/."),
    "predictions": Option(options.optional(_predictions), 'Give a name, names, or types: {"score": "double"}.'),
    "answer": Option(options.optional(_answer), "Say which part of the JSON answers a record."),
    "input_columns": Option(options.optional(options.names), "Name the cells of the input, or members of its records."),
    "key": Option(options.optional(_column), "Name a column that rows and answers both have."),
    "content_type": Option(options.optional(options.text), _TYPE),
    "split_type": Option(_split_type, _TYPE),
    "accept": Option(options.optional(options.text), _TYPE),
    **writing.OPTIONS,
}
# What a job tells by itself, and its result with it.
SAID_OF_JOB = ("content_type", "split_type", "accept")
# Each is a way to say which answers are meant.
WAYS = (("result",), ("job_name",), ("input", "answers"))


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options that are known by now, read; InvalidInput names everything that is wrong with them."""
    given = {name: values[name] for name in OPTIONS if name in values}
    known, wrong = read_options({name: OPTIONS[name] for name in given}, given)
    refuse(InvalidInput, "associate", [*wrong, *_ways(given, known), *writing.unfit(known), *_overlaps(known)])
    return known


def _ways(given: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Problem]:
    """Find whether answers are named in no way, or in several; what is not known by now is taken as given."""
    named = {name for way in WAYS for name in way if name in given and known.get(name, given[name]) is not None}
    if sum(bool(named & set(way)) for way in WAYS) != 1:
        rule = f"is one of three ways to name answers, of which {len(named) or 'none'} are given"
        yield Problem("result", sorted(named), rule, "Give result=, or job_name=, or input= and answers=.")
    elif len(half := named & set(WAYS[-1])) == 1:
        yield Problem(half.pop(), None, "is only half of what is needed", "Give input= and answers=.")


def _unresolved(known: Mapping[str, Any]) -> Iterator[Problem]:
    if known.get("job_name") is not None:
        remedy = "Describe it first: its result takes the place of its name."
        yield Problem("job_name", known["job_name"], "is the name of a job, of which nothing is known yet", remedy)


def told(known: Mapping[str, Any]) -> TransformResult | None:
    """Give what is known of a job, or of two prefixes; None while that is open."""
    if (result := known.get("result")) is None:
        if known.get("input") is None or known.get("answers") is None:
            return None
        result = TransformResult.between(str(known["input"]), str(known["answers"]))
    said = {name: known[name] for name in SAID_OF_JOB if known.get(name) is not None}
    return replace(result, **said)


def _overlaps(known: Mapping[str, Any]) -> Iterator[Problem]:
    if "output" not in known or (result := told(known)) is None:
        return iter(())
    return inside_each_other(known["output"], _places(result), "the job's own")


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
