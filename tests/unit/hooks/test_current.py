"""Clients that are made anew while somebody holds what uses them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import boto3
import pytest

from airflow_batchtx.hooks.batch_transform import BatchTransformHook
from airflow_batchtx.hooks.current import CurrentHook
from airflow_batchtx.hooks.logs import LogsHook
from airflow_batchtx.hooks.storage import StorageHook
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_sagemaker import FakeSageMaker


class NothingThere:
    """As much of CloudWatch and S3 as tells that there is nothing; the rest is a real client's description of S3."""

    meta = boto3.client("s3", region_name="us-east-1").meta

    def describe_log_streams(self, **_: Any) -> dict[str, Any]:
        return {"logStreams": []}

    def get_paginator(self, _: str) -> NothingThere:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return []


def with_a_job() -> FakeSageMaker:
    fake = FakeSageMaker()
    fake.add("nightly", ["InProgress"])
    return fake


HELD: dict[type[CurrentHook], tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[], Any]]] = {
    BatchTransformHook: (lambda hook: hook.jobs, lambda jobs: jobs.describe("nightly"), with_a_job),
    LogsHook: (lambda hook: hook.job_logs(), lambda logs: logs.streams("nightly"), NothingThere),
    StorageHook: (lambda hook: hook.store(), lambda store: list(store.objects(S3Uri("b", "in/"))), NothingThere),
}


@pytest.mark.parametrize("kind", HELD)
def test_who_holds_a_service_calls_over_the_client_as_it_is_then(kind: type[CurrentHook]) -> None:
    made = []

    class Counting(kind):  # type: ignore[valid-type, misc]
        renewed_after = 0.02

        @cached_property
        def conn(self) -> Any:
            made.append(HELD[kind][2]())
            return made[-1]

    held, call, _ = HELD[kind]
    service = held(Counting(aws_conn_id=None))
    call(service)
    before = len(made)
    time.sleep(0.03)
    call(service)

    assert len(made) > before
