"""Listings that end when their process is to end."""

from __future__ import annotations

import pytest

from airflow_batchtx.hooks.attentive import PAGE, AttentiveStore
from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.hooks.controlled import ControlledOperator
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore

MANY = InMemoryStore({f"s3://b/in/{number:05}": b"" for number in range(2 * PAGE + 1)})


def test_a_listing_looks_up_once_a_page() -> None:
    looks: list[int] = []
    found = list(AttentiveStore(MANY, lambda: looks.append(1)).objects(S3Uri("b", "in/")))

    assert found == list(MANY.objects(S3Uri("b", "in/")))
    assert len(looks) == 3


def test_it_ends_with_what_the_look_raises() -> None:
    def cut() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(AttentiveStore(MANY, cut).objects(S3Uri("b", "in/")))


def test_all_else_is_the_stores_own() -> None:
    assert AttentiveStore(MANY, lambda: None).stat(S3Uri("b", "in/00000")) == MANY.stat(S3Uri("b", "in/00000"))


def test_a_task_that_controls_jobs_has_it_and_no_other() -> None:
    assert isinstance(ControlledOperator(task_id="score").services.store, AttentiveStore)
    assert not isinstance(ConnectedOperator(task_id="score").store, AttentiveStore)
