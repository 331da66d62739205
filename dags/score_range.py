"""
### Many days in one job

Scores the flights of all days from one to another in a single transform job: its instances start once, where a job a
day starts them anew each time. One manifest names what was prepared of every day; the answers go to the partitions of
their days, the same ones that `flight_delays` writes. Partitions of other days stay as they are.

| task | reads | writes |
|---|---|---|
| `days` | which days there are below `source/` | a list of them; a day without flights is refused, or skipped |
| `prepare`, for each day | `source/day=2013-01-01/` | its shards, and the kept columns beside |
| `transform` | the shards of all days, by a manifest | how likely each flight is to be late |
| `associate` | kept columns and scores | `scored/day=2013-01-01/` and so on: a Parquet table for each day |

It needs the pool and the data that `flight_delays` needs.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_batchtx import TransformJob
from airflow_batchtx.operators.batch_transform import BatchTransformOperator
from airflow_batchtx.operators.data import AssociateOutputOperator, PrepareInputOperator

log = logging.getLogger(__name__)

HOME = "s3://{{ var.value.batchtx_bucket }}/flights"
STAGED = HOME + "/ranges/{{ params.from_day }}--{{ params.to_day }}"
PARAMS = {
    "from_day": Param("2013-01-01", type="string", format="date", title="From", section="Days"),
    "to_day": Param("2013-01-31", type="string", format="date", title="To", description="The last day", section="Days"),
    "missing": Param(
        "refuse", type="string", enum=["refuse", "skip"], title="A day without flights", section="Days",
        description="Refuse the whole range, or leave such days out",
    ),
}  # fmt: skip


@task
def days(source: str, staged: str, first: str, last: str, missing: str) -> list[dict[str, str]]:
    """List what is to be prepared: for each day its folder, and the one to prepare it to."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    wanted = [f"day={begin + timedelta(days=number)}/" for number in range((end - begin).days + 1)]
    bucket, _, folder = source.removeprefix("s3://").partition("/")
    there = set(S3Hook().list_prefixes(bucket, prefix=folder, delimiter="/"))
    lost = [day for day in wanted if folder + day not in there]
    if not wanted:
        raise AirflowFailException(f"There is no day from {first} to {last}")
    if lost and missing == "refuse":
        raise AirflowFailException(f"There are no flights in {source} for {', '.join(lost)}")
    if lost:
        log.warning("Skipped, since there are no flights in %s: %s", source, ", ".join(lost))
    return [{"source": source + day, "output": f"{staged}in/{day}"} for day in wanted if day not in lost]


with DAG("score_range", schedule=None, params=PARAMS, max_active_runs=1, doc_md=__doc__, tags=["batchtx"]):
    prepare = PrepareInputOperator.partial(
        task_id="prepare",
        columns=["carrier", "origin", "hour", "distance"],
        keep=["id", "flight", "dest", "arr_delay"],
        types={"id": "int64", "arr_delay": "int64"},
        map_index_template="{{ task.source.split('/')[-2] }}",
    ).expand_kwargs(
        days(f"{HOME}/source/", f"{STAGED}/", "{{ params.from_day }}", "{{ params.to_day }}", "{{ params.missing }}")
    )
    transform = BatchTransformOperator(
        task_id="transform",
        job=TransformJob(
            model_name="flight-delays",
            input=prepare.output,
            output=f"{STAGED}/out/",
            instance_type="ml.m5.xlarge",
        ),
        pool="batchtx",
        deferrable=True,
    )
    AssociateOutputOperator(
        task_id="associate",
        result=transform.output,
        predictions={"late": "double"},
        table_per="day",
        output=f"{HOME}/scored/",
    )
