"""Which outputs of an attempt are there, as it and the attempts before it wrote them."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_batchtx.planning.completeness import completeness
from airflow_batchtx.spec.intent import Done, Intent, ObjectState
from airflow_batchtx.spec.record import Record

Outputs = Mapping[str, ObjectState]  # what lies below the output prefix, by URI


def still_there(intent: Intent, record: Record | None, outputs: Outputs) -> dict[str, Done]:
    """Give the outputs that count, by the URI of the input that they answer.

    An attempt that came to its end has on record just which outputs it saw; of another, those count that have changed
    since it began.
    """
    if record is None:
        return {
            one.uri: Done(job_name=one.done.job_name if one.done else intent.job_name, state=state)
            for one, state in completeness(intent.objects, outputs).done
        }
    return {
        one.input: Done(job_name=one.job_name, state=state)
        for one in record.objects
        if one.job_name and (state := outputs.get(one.output)) is not None and state == one.state
    }


def whole(intent: Intent, record: Record | None, outputs: Outputs) -> bool:
    """Tell whether every output that an attempt owed is there."""
    return still_there(intent, record, outputs).keys() >= {one.uri for one in intent.objects}
