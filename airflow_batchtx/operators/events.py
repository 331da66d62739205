"""What a DAG does first that a watcher has started: find out what there is to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_batchtx.control.taking import Claims, Event
from airflow_batchtx.errors import InvalidInput, Problem, refuse
from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.hooks.controlled import identity_of
from airflow_batchtx.spec.options import optional
from airflow_batchtx.spec.templates import Text
from airflow_batchtx.spec.uri import S3Uri

_given = optional(str)

# Clocks of triggerers differ: an event may say that it is older than one that came before it.
SLACK = timedelta(minutes=5)
_SHOWN = 20  # events that the log names


class TakeEventsOperator(ConnectedOperator):
    """Take what a watcher has told of and no other run has taken, and return it; skip where there is nothing.

    Everything is told of at least once, by AWS and by Airflow. Each event is claimed by a conditional put below
    `claims`, by its `id`: of two runs that are told of it one gets it. A retry, or a run that is cleared, gets what it
    got before. Events of the run's own conf (`{"events": [{"id": ..., ...}]}`) are taken in the same way.

    It takes all events of the asset since the first that started the run, those too that came when the run was there
    already: Airflow 3.3 starts no run for an event that comes while another waits for a run (apache/airflow#56050).

    :param asset: what the DAG is scheduled by, or its name.
    :param claims: an S3 prefix of this task's own. What lies there longer than a queue keeps messages may be deleted.
    :param member: return this member of each event, such as "uri", in the place of all of it.
    :param namespace: tells Airflow deployments apart that share an AWS account; by default `[batchtx] namespace`.
    """

    template_fields: Sequence[str] = ("claims", "member", "namespace", *ConnectedOperator.template_fields)
    ui_color = "#fff3c4"

    def __init__(
        self,
        *,
        asset: Asset | str,
        claims: str,
        member: str | None = None,
        namespace: Text | None = None,
        **kwargs: Any,
    ) -> None:
        asset_name = asset if isinstance(asset, str) else asset.name
        # By its name: an inlet that is an asset would stand beside the one with the watchers.
        super().__init__(inlets=[*kwargs.pop("inlets", ()), Asset.ref(name=asset_name)], **kwargs)
        self.asset_name = asset_name
        self.claims = claims
        self.member = member
        self.namespace = namespace

    def execute(self, context: Context) -> list[Any]:
        """Claim what there is."""
        owner = identity_of(context["ti"], _given(self.namespace))
        claims = Claims(self.store, S3Uri.parse(self.claims).as_folder())
        taken = claims.taken(owner, lambda: self._checked([*self._of_conf(context), *self._of_asset(context)]))
        self.log.info("%d events are this run's", len(taken))
        for event in taken[:_SHOWN]:
            self.log.info("%s", event)
        if not taken:
            raise AirflowSkipException("Nothing that another run has not taken already")
        return [event[self.member] for event in taken] if self.member else [dict(event) for event in taken]

    def _of_conf(self, context: Context) -> Iterator[Any]:
        yield from _events(context["dag_run"].conf)

    def _of_asset(self, context: Context) -> Iterator[Any]:
        started = [
            event
            for asset, events in context["triggering_asset_events"].items()
            if getattr(asset, "name", None) == self.asset_name
            for event in events
        ]
        if not started:
            return
        since = min(event.timestamp for event in started) - SLACK
        for event in context["inlet_events"][Asset.ref(name=self.asset_name)].after(since.isoformat()):
            yield from _events((event.extra or {}).get("payload"))

    def _checked(self, events: Sequence[Any]) -> list[Event]:
        """Refuse events before any is claimed: what a run has taken it has for good."""
        remedy = 'Give it an "id" that tells it apart.'
        problems = [Problem("events", event, "has no id", remedy) for event in events if not _is_event(event)]
        if self.member and not problems:
            rule, remedy = f"has no {self.member}, which is what the task returns of it", "Give it one."
            problems = [Problem("events", event, rule, remedy) for event in events if self.member not in event]
        refuse(InvalidInput, "events", problems)
        return list(events)


def _events(told: Any) -> Sequence[Any]:
    """Give the events that a watcher's payload, or a run's conf, holds; none where it holds something else."""
    found: Any = told.get("events") if isinstance(told, Mapping) else None
    return found if isinstance(found, list) else ()


def _is_event(told: Any) -> bool:
    return isinstance(told, Mapping) and isinstance(told.get("id"), str) and bool(told["id"])
