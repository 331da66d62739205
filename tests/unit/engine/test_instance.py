from __future__ import annotations

import threading

from airflow_batchtx.engine.instance import transform_all
from airflow_batchtx.engine.window import Budget, Lane
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.uri import S3Uri

TODO = tuple(Transfer(S3Uri("b", f"in/{n}"), S3Uri("b", f"out/{n}.out")) for n in range(3))


def test_no_more_threads_are_started_than_there_are_objects() -> None:
    found: set[str] = set()

    def transform(_: Transfer) -> None:
        found.update(thread.name for thread in threading.enumerate() if thread.name.startswith("object"))

    transform_all(TODO, transform, lambda _, text: None, Lane(500, Budget(1), threading.Event()))

    assert 0 < len(found) <= len(TODO)
