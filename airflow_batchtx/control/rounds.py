"""Which round a piece of work is in outside of Airflow, where nobody clears a task: what an epoch is there."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from airflow_batchtx.control.assignment import Assignment
from airflow_batchtx.control.ledger import RECORD, Ledger
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import JobNotFound, ObjectNotFound
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import is_final
from airflow_batchtx.spec.policy import Verify


def in_its_round(services: Services, assignment: Assignment) -> Assignment:
    """Give a piece of work its epoch: how many of its attempts are over. Who asks again after that begins a new round.

    Commands that run at once, and those that come while a job runs, are of one round; so is the one that takes the
    outcome of a job which Completed while nobody waited for it.
    """
    over = 0
    for number in count(1):
        name = assignment.name(number)
        try:
            described = services.jobs.describe(name)
        except JobNotFound:
            break
        if _is_over(services, assignment, described):
            over = number
    return replace(assignment, epoch=over)


def _is_over(services: Services, assignment: Assignment, described: Described) -> bool:
    status = described["TransformJobStatus"]
    if status != JobStatus.COMPLETED or assignment.policy.verify is Verify.NONE:
        return is_final(status)
    try:
        services.store.stat(Ledger(services.store, assignment.control).folder(described["TransformJobName"]) / RECORD)
    except ObjectNotFound:
        return False
    return True
