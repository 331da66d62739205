"""`batchtx run`: one job for one piece of work, from a shell or from cron."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import typer

from airflow_batchtx.cli.connection import Connection
from airflow_batchtx.cli.documents import STDIN
from airflow_batchtx.cli.exits import INTERRUPTED
from airflow_batchtx.cli.screen import Screen
from airflow_batchtx.control import submission
from airflow_batchtx.control.assigning import assigned
from airflow_batchtx.control.assignment import Assignment, Started
from airflow_batchtx.control.course import next_try, to_end
from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.limits import Limits, stop, wait
from airflow_batchtx.control.rounds import in_its_round
from airflow_batchtx.control.services import Services
from airflow_batchtx.control.waiting import POLL_INTERVAL
from airflow_batchtx.errors import InvalidJob, Postponed, Problem
from airflow_batchtx.planning.tags import shell_tags
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec.naming import Identity
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prices import PriceTable
from airflow_batchtx.spec.result import TransformResult

log = logging.getLogger(__name__)

NAMESPACE = "cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a command line wants work to be done: `interval` is the longest pause between two looks, in seconds."""

    prices: PriceTable
    wait: bool = True
    interval: float = POLL_INTERVAL
    stop_on_interrupt: bool = False


def name_of(file: str, request: Mapping[str, Any]) -> str:
    """Give the name that work goes by, and that its jobs' names begin with: the request's, or the file's."""
    given = request.get("TransformJobName") or (None if file == STDIN else Path(file).stem)
    if isinstance(given, str) and given:
        return given
    raise InvalidJob(
        "transform job",
        (Problem("TransformJobName", None, "is needed where a request comes from no file", "Put it in the request."),),
    )


def assignment_of(
    services: Services,
    request: Mapping[str, Any],
    *,
    name: str,
    key: str,
    policy: Policy,
    control_prefix: str | None,
    tagged: bool = True,
) -> Assignment:
    """Read a request as the piece of work that `name` and `key` stand for; InvalidJob names all that is wrong.

    `tagged`: its jobs have the two as tags.
    """
    identity = Identity(namespace=NAMESPACE, dag_id=name, task_id="", run_id=key, map_index=-1)
    work = assigned(request, identity=identity, prefix=name, epoch=None, policy=policy, control_prefix=control_prefix)
    tags = shell_tags(work.request, name, key) if tagged else {}
    return in_its_round(services, replace(work, tags=tags))


@dataclass(slots=True)
class Run:
    """One run of the command. `job_name` is the job that the work has by now."""

    assignment: Assignment
    connection: Connection
    screen: Screen
    manner: Manner
    job_name: str | None = field(init=False, default=None)

    def result(self) -> TransformResult:
        """Do the work, and give what came of it; raise the error that says why nothing did."""
        with self._interruptible():
            # Whether they can be kept has to be known before a job is paid for.
            services, work = self.connection.services, self.assignment
            Limits.agreed(work.policy, self.manner.prices, services, work.request)
            started = self._started()
            if self.manner.wait:
                return to_end(
                    started, self.assignment.policy, start=self._started, wait=self._waited, conclude=self._concluded
                )
            described = started.described or self.connection.services.jobs.describe(started.job_name)
            return self._ending.result(described, started.on_record)

    @property
    def _ending(self) -> Ending:
        return Ending(services=self.connection.services, policy=self.assignment.policy, prices=self.manner.prices)

    def _started(self) -> Started:
        """Give the work its job; where a quota keeps it out, wait here."""
        services = self.connection.services
        began = services.clock()
        while True:
            try:
                started = submission.start(services, self.assignment)
                break
            except Postponed as postponed:
                waited = services.clock() - began
                pause = next_try(postponed, self.assignment.policy, waited, self.connection.chance())
                log.warning("%s. Trying again in %.0f s.", postponed, pause)
                services.sleep(pause)
        self.job_name = started.job_name
        log.info("Transform job %s (%s) writes to %s", started.job_name, started.job_arn, started.output)
        return started

    def _limits(self, described: Mapping[str, Any]) -> Limits:
        region = self.connection.services.jobs.region
        return Limits.of(self.assignment.policy, self.manner.prices, region, described)

    def _waited(self, started: Started) -> Described:
        services = self.connection.services
        limits = self._limits(started.described or (started.intent.request if started.intent else {}))
        with self.screen.following(services, started) as report:
            return wait(
                services,
                started.job_name,
                limits,
                interval=self.manner.interval,
                report=report,
                chance=self.connection.chance,
            )

    def _concluded(self, started: Started, described: Described) -> TransformResult:
        return self._ending.concluded(described, started.on_record)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Say at Ctrl-C what becomes of the job, and how to go on."""
        try:
            yield
        except KeyboardInterrupt:
            self._tell_interrupted()
            raise typer.Exit(INTERRUPTED) from None

    def _tell_interrupted(self) -> None:
        name = self.job_name
        if name is None:
            told = "Interrupted before there was a job, or just then. The same command finds it, if there is one."
        elif self.manner.stop_on_interrupt:
            stop(self.connection.services, name)
            told = f"Interrupted; transform job {name} is asked to stop. The same command goes on where it ended."
        else:
            told = (
                f"Interrupted; transform job {name} runs on, and is paid for."
                f" The same command waits for it again; batchtx stop {name} ends it."
            )
        typer.secho(told, err=True, fg="yellow")
