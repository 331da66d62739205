"""How long a job may run and what it may cost, as a point in time; and what happens when that has passed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.control.services import Services
from airflow_batchtx.control.waiting import Watch, ended, waited
from airflow_batchtx.errors import InvalidJob, JobNotFound, JobTimedOut, Problem, ServiceUnavailable
from airflow_batchtx.planning.cost import seconds_for
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prices import PriceTable

log = logging.getLogger(__name__)

# Seconds, and how often: a job that has to stop is worth asking for more than once.
_PAUSES_BETWEEN_STOPS = (1.0, 2.0, 5.0, 10.0, 20.0)

# Seconds. A job that is stopping has its instances to give back.
LONGEST_STOP = 900.0
# No job has this name: those of tasks end in a digest, and of others it is the longest that there may be.
NO_JOB = "batchtx-asks-whether-jobs-may-be-stopped-and-this-is-none-at-all"[:63]
INSTANCE_TYPE = BY_NAME["instance_type"].path
_LONGEST_OUTAGE = 3600.0

Report = Callable[["Described | None"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`max_runtime` counts seconds from a job's creation, `max_billed` from its start, since AWS bills from then on."""

    max_runtime: float | None = None
    max_billed: float | None = None

    @classmethod
    def of(cls, policy: Policy, prices: PriceTable, region: str, request: Mapping[str, Any]) -> Limits:
        """Turn a policy's bounds into seconds; InvalidJob for a bound of money where the price is not known.

        `request` is a CreateTransformJob request, or what DescribeTransformJob answers.
        """
        if policy.max_cost is None:
            return cls(max_runtime=policy.max_runtime)
        values = wire.flat(request)
        if (known := prices.price(region, values["instance_type"])) is None:
            rule = f"cannot be kept: no price of {values['instance_type']} in {region} is known"
            remedy = "Give its price by prices= or Airflow's option [batchtx] prices, or use max_runtime."
            raise InvalidJob("job control", (Problem("max_cost", policy.max_cost, rule, remedy),))
        billed = seconds_for(policy.max_cost, known, values["instance_count"])
        return cls(max_runtime=policy.max_runtime, max_billed=billed)

    @classmethod
    def agreed(cls, policy: Policy, prices: PriceTable, services: Services, request: Mapping[str, Any]) -> Limits:
        """Give the limits of a job that is to be, after a look at whether they can be kept, whatever type it will have.

        InvalidJob where a price is not known; JobRefused where jobs may not be stopped.
        """
        region, first = services.jobs.region, wire.flat(request)["instance_type"]
        for instance_type in dict.fromkeys((*policy.instance_types, first)):
            asked = wire.copied(request)
            wire.put(asked, INSTANCE_TYPE, instance_type)
            limits = cls.of(policy, prices, region, asked)
        if limits != cls():
            _may_stop(services)
        return limits

    def deadline(self, described: Described | None, now: float) -> float | None:
        """Give the time (seconds since the epoch) by which a job has to have ended; None for no limit.

        One that has not started, or that nobody has looked at yet, is taken to start now: once the time has come,
        look at the job and ask again.
        """
        created = described["CreationTime"].timestamp() if described else now
        started = (
            described["TransformStartTime"].timestamp() if described and "TransformStartTime" in described else now
        )
        ends = [
            begun + seconds
            for begun, seconds in ((created, self.max_runtime), (started, self.max_billed))
            if seconds is not None
        ]
        return min(ends, default=None)


def wait(
    services: Services, job_name: str, limits: Limits, *, interval: float, report: Report, chance: Callable[[], float]
) -> Described:
    """Wait until a job has ended, however it ended; stop it and raise JobTimedOut where it goes beyond its limits."""
    seen: Described | None = None
    while True:
        deadline = limits.deadline(seen, services.clock())
        watch = Watch(job_name=job_name, interval=interval, deadline=deadline, clock=services.clock, chance=chance)
        try:
            return waited(lambda: services.jobs.look(job_name), watch, sleep=services.sleep, report=report)
        except JobTimedOut:
            seen = enforced(services, job_name, limits)
            if ended(seen):
                return seen


def enforced(services: Services, job_name: str, limits: Limits) -> Described:
    """Look at a job whose time seems to be over. Where it is, stop the job and raise JobTimedOut."""
    described = looked(services, job_name)
    now = services.clock()
    deadline = limits.deadline(described, now)
    if ended(described) or deadline is None or now < deadline:
        return described
    stopped = stop(services, job_name)
    raise JobTimedOut(job_name, now - described["CreationTime"].timestamp(), stopped=stopped)


def _may_stop(services: Services) -> None:
    """Find out, without effect, whether a job may be stopped: the answer for one that cannot exist tells."""
    with suppress(JobNotFound):
        services.jobs.stop(NO_JOB)


def looked(services: Services, job_name: str) -> Described:
    """Describe a job, again where SageMaker cannot be asked just now; JobTimedOut after an hour of that."""
    deadline = services.clock() + _LONGEST_OUTAGE
    watch = Watch(job_name=job_name, interval=5.0, deadline=deadline, clock=services.clock, chance=lambda: 0.5)
    while (seen := services.jobs.look(job_name)) is None:
        services.sleep(watch.pause(None))
    return seen


def stop(services: Services, job_name: str) -> bool:
    """Ask for a job's end, again where SageMaker cannot be asked just now; False where it was ending anyway."""
    for pause in _PAUSES_BETWEEN_STOPS:
        if (stopped := _asked_to_stop(services, job_name)) is not None:
            break
        services.sleep(pause)
    else:
        stopped = services.jobs.stop(job_name)
    log.info("Transform job %s %s", job_name, "is asked to stop" if stopped else "was ending anyway")
    return stopped


def _asked_to_stop(services: Services, job_name: str) -> bool | None:
    try:
        return services.jobs.stop(job_name)
    except ServiceUnavailable as miss:
        log.warning("%s; trying again.", miss)
        return None


def outwait(
    services: Services, job_name: str, *, interval: float = 10.0, timeout: float | None = LONGEST_STOP
) -> Described:
    """Let a job that is stopping end; JobTimedOut after `timeout` seconds."""
    deadline = None if timeout is None else services.clock() + timeout
    watch = Watch(job_name=job_name, interval=interval, deadline=deadline, clock=services.clock, chance=lambda: 0.5)
    return waited(lambda: services.jobs.look(job_name), watch, sleep=services.sleep)
