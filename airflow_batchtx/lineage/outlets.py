"""What a task tells of its outlet assets: the result, to all who are scheduled by them or read their events."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias, BaseOperator, Context
from airflow.sdk.definitions.asset import AssetRef

from airflow_batchtx.spec.result import TransformResult


def publish_outlets(context: Context, task: BaseOperator, result: TransformResult) -> None:
    """Put a result into the `extra` of the event of every outlet asset; an alias becomes the output prefix's asset.

    Airflow emits the events once the task has succeeded, and gives them the partition of its run, if it has one.
    """
    extra = result.to_dict()
    for outlet in task.outlets:
        match outlet:
            case AssetAlias():
                context["outlet_events"][outlet].add(Asset(uri=result.output), extra=extra)
            case Asset() | AssetRef():
                context["outlet_events"][outlet].extra.update(extra)
