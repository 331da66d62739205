"""Data capture: what a job has read and written, as manifests for SageMaker Model Monitor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_batchtx.planning import manifests
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore


def capture(
    store: ObjectStore,
    request: Mapping[str, Any],
    done: Iterable[Transfer],
    *,
    prefix: S3Uri,
    started: float,
    new_id: Callable[[], str],
) -> None:
    """Write the manifests that the request's DataCaptureConfig asks for; nothing without one.

    `prefix` is that of the input, `started` the job's start in epoch seconds. Form and names: developer guide,
    model-monitor-data-capture-batch.
    """
    if (config := request.get("DataCaptureConfig")) is None:
        return
    transfers = tuple(done)
    target = address(request["TransformOutput"]["S3OutputPath"]).as_folder()
    bodies = {
        "input": manifests.written(prefix.folder, (transfer.source for transfer in transfers)),
        "output": manifests.written(target, (transfer.target for transfer in transfers)),
    }
    hour = datetime.fromtimestamp(started, timezone.utc).strftime("%Y/%m/%d/%H")
    for side, body in bodies.items():
        uri = address(config["DestinationS3Uri"]) / f"{side}/{hour}/{new_id()}.json"
        store.put(uri, body, content_type="application/json", kms_key_id=config.get("KmsKeyId") or None)
