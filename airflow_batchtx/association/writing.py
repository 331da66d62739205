"""How an associate task is to write its table. Pure: a DAG is checked by it without any data library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_batchtx.errors import Problem
from airflow_batchtx.spec import options
from airflow_batchtx.spec.allowance import Allowance, allowance
from airflow_batchtx.spec.options import Option
from airflow_batchtx.spec.share import share

FORMATS = ("parquet", "csv", "jsonlines")
FAIL, DEAD_LETTER = "fail", "dead_letter"
NONE = Allowance()
ON_MISSING = (FAIL, DEAD_LETTER)
# More processes than any machine has cores are a slip.
MOST_PROCESSES = 256


def _processes(value: Any) -> int:
    if (number := options.whole(1)(value)) > MOST_PROCESSES:
        raise ValueError(f"must be at most {MOST_PROCESSES}")
    return number


def _folders(value: Any) -> tuple[str, ...]:
    found = options.names(value)
    if wrong := [name for name in found if set(name) & set("/=")]:
        raise ValueError(f"must be names of folders such as day for day=2026-01-01/; {wrong[0]!r} is none")
    return found


OPTIONS: Mapping[str, Option] = {
    "format": Option(options.one_of(FORMATS), "Parquet keeps types; CSV and JSON Lines are text."),
    "partition_by": Option(options.optional(options.names, ()), "Name columns of the table."),
    "table_per": Option(options.optional(_folders, ()), "Give day for inputs that lie in day=2026-01-01/ and so on."),
    "error_member": Option(
        options.optional(options.text), "Name the member, or the column of predictions, that says what went wrong."
    ),
    "on_missing": Option(
        options.one_of(ON_MISSING), "Fail, or put the rows of inputs without output among the dead letters."
    ),
    "max_dead": Option(options.optional(allowance, NONE), 'Give a number of rows, or a part of them such as "0.1%".'),
    "processes": Option(options.optional(_processes, 1), "Give as many as the worker has cores to spare."),
    "share": Option(options.optional(share), "Use shares(8) of operators.data in expand(share=...)."),
}


def unfit(known: Mapping[str, Any]) -> Iterator[Problem]:
    """Find options that do not go together; those that are not known yet are passed over."""
    if both := set(known.get("table_per", ())) & set(known.get("partition_by", ())):
        remedy = "Name it in one of them."
        yield Problem("partition_by", sorted(both), "stands in the folders of tables by table_per already", remedy)
    if known.get("share") is None:
        return
    if known.get("table_per"):
        rule = "makes several tables, where shares are of one"
        yield Problem("table_per", known["table_per"], rule, "Leave share out; processes= writes at once.")
    predictions = known.get("predictions", {})
    if "predictions" in known and (not predictions or None in predictions.values()):
        rule = "must have types where a table is written in shares, none of which sees all values"
        yield Problem("predictions", predictions, rule, 'Give them: {"score": "double"}.')
