"""What the page of jobs is told survives the way through an XCom, and stays small."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_batchtx.spec.card import JobCard
from airflow_batchtx.spec.result import TransformResult
from benchmarks.task_jobs import RESULT

CARDS = {
    "nothing but a job": JobCard(result=RESULT),
    "everything": JobCard(
        result=RESULT, aws_conn_id=None, region_name="eu-west-1", verify="/ca.pem", per_hour=0.5, currency="EUR",
        reason="ClientError",
    ),
    "a job that was made just now": JobCard(result=replace(RESULT, status="InProgress", started=None, cost=None)),
}  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
def test_it_is_read_as_it_was_written(name: str) -> None:
    assert JobCard.read(json.loads(json.dumps(CARDS[name].to_dict()))) == CARDS[name]


def test_what_nobody_knows_is_a_null_to_sql() -> None:
    told = JobCard(result=replace(RESULT, cost=None)).to_dict()

    assert "cost" not in told["result"]
    assert told["result"]["rows"] == 70_000


def test_members_of_other_versions_do_no_harm() -> None:
    assert JobCard.read({"version": 9, "colour": "red", "result": {"job_name": "a"}}).result.job_name == "a"
    assert JobCard.read({}).result == TransformResult.read({})


def test_a_long_reason_is_cut() -> None:
    card = JobCard(result=RESULT, reason="x" * 100_000)

    assert len(json.dumps(card.to_dict())) < 4_000
