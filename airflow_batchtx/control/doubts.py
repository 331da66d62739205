"""What of a job looks wrong and may be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_batchtx.errors import InvalidJsonPath, Problem
from airflow_batchtx.planning import preflight
from airflow_batchtx.records import jsonpath
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.templates import is_open


def doubts(facts: preflight.Facts) -> tuple[Problem, ...]:
    """Give all doubts, those about its filters among them."""
    return (*preflight.doubts(facts), *strange_filters(facts.request))


def strange_filters(request: Mapping[str, Any]) -> Iterator[Problem]:
    """Find filters that SageMaker takes when a job is created, and is not known to understand when it runs.

    They are doubtful only: the API reference has $[0,5:] as an example, and aws/sagemaker-python-sdk#1112 saw the like
    of it refused. One with a template is passed over.
    """
    values = wire.flat(request)
    for name in ("input_filter", "output_filter"):
        path = values.get(name)
        if isinstance(path, str) and path and not is_open(path) and (why := _why_strange(path)):
            rule = f"is nothing that filters are known to understand; the job may fail when it runs: {why}"
            remedy = "Use names, indexes or one range, such as $.features, $[0,2] or $[1:5]."
            yield Problem(BY_NAME[name].label, path, rule, remedy)


def _why_strange(path: str) -> str | None:
    try:
        jsonpath.check(path, "")
    except InvalidJsonPath:
        # CreateTransformJob refuses it, which is a problem of the request.
        return None
    try:
        jsonpath.parsed(path)
    except InvalidJsonPath as error:
        return error.detail
    return None
