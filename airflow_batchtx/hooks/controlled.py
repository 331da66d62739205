"""What tasks that wait for jobs share: the services that they work with, being killed, and the end of the wait."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import Context, conf
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.limits import stop
from airflow_batchtx.control.prices import price_table
from airflow_batchtx.control.services import Services
from airflow_batchtx.control.waiting import POLL_INTERVAL, read_interval
from airflow_batchtx.errors import InvalidInput, Problem, WaitInterrupted, refuse
from airflow_batchtx.hooks.attentive import AttentiveStore
from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.hooks.retrying import RETRY_POLICY
from airflow_batchtx.hooks.services import services
from airflow_batchtx.hooks.stopping import stop_wanted
from airflow_batchtx.spec.naming import Identity
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prices import PriceTable

if TYPE_CHECKING:
    from airflow.sdk import RetryPolicy

    from airflow_batchtx.storage.port import ObjectStore

# Seconds. A worker has five from SIGTERM to SIGKILL, in which a job may have to be stopped.
NAP = 0.25
# Seconds that a trigger has to tell of a deadline by itself, before Airflow ends the deferral.
GRACE = 120.0


def configured_interval(chosen: float | None = None) -> float:
    """Give the longest pause between two looks at a job, in seconds: a task's, else the configuration's.

    InvalidInput where it is no pause.
    """
    configured = conf.get("batchtx", "poll_interval", fallback=None) or POLL_INTERVAL
    return read_interval(configured if chosen is None else chosen)


def configured_control(chosen: object = None) -> str | None:
    """Give the prefix of control folders, as a task or the configuration says; None leaves them beside the output."""
    prefix = chosen or conf.get("batchtx", "control_prefix", fallback=None)
    return str(prefix) if prefix else None


def identity_of(ti: Any, namespace: str | None) -> Identity:
    """Tell whose work a try of a task is, in a namespace that the task names, or the configuration."""
    # Without a name of its own a deployment is told by its address, the one thing that all its parts share.
    configured = conf.get("batchtx", "namespace", fallback=None) or conf.get("api", "base_url", fallback=None)
    return Identity(
        namespace=str(namespace or configured or ""),
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=ti.map_index,
    )


class ControlledOperator(ConnectedOperator):
    """A task that waits for a transform job.

    Its `retry_policy` is by default one that does not try again what is hopeless (see `retrying`).
    """

    # The job that the task is given; a task that makes its job knows no name before.
    job_name: Any = None

    def __init__(
        self,
        *,
        prices: Mapping[str, Any] | str | None = None,
        # Named here, so that `default_args` and mapped tasks find it.
        retry_policy: RetryPolicy | None = RETRY_POLICY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.prices = prices
        self._killed = False

    @cached_property
    def services(self) -> Services:
        """SageMaker, its logs, S3, and time that on_kill cuts short, as it does listings."""
        made = services(self.aws, s3_extra_args=self.s3_extra_args, sleep=self._nap)
        return replace(made, store=cast("ObjectStore", AttentiveStore(made.store, partial(self._nap, 0.0))))

    def defers(self, chosen: bool | None) -> bool:
        """Tell whether to wait in a triggerer: as `chosen`, by default as `[operators] default_deferrable` says.

        InvalidInput where `botocore_config` has credentials: a triggerer's task is kept in clear text.
        """
        deferrable = conf.getboolean("operators", "default_deferrable") if chosen is None else chosen
        if deferrable:
            refuse(InvalidInput, f"task {self.task_id}", _credentials(self.botocore_config or {}))
        return deferrable

    def ending(self, policy: Policy) -> Ending:
        """Take the ends of jobs as this task's options say."""
        return Ending(services=self.services, policy=policy, prices=self.price_table)

    @cached_property
    def price_table(self) -> PriceTable:
        """What instances cost: this package's prices, and those of the task or of Airflow's configuration over them."""
        given = None if self.prices == "None" else self.prices  # what an unset parameter renders to
        return price_table(given or conf.get("batchtx", "prices", fallback=None))

    # -------------------------------------------------------------------------------------------------- being killed

    def on_kill(self) -> None:
        """Note that this process is to end. Airflow cannot be asked in a signal's handler: the wait does that."""
        self._killed = True

    def _nap(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._killed and (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, NAP))
        if self._killed:
            raise WaitInterrupted(_name(self.job_name))

    @contextmanager
    def stopping(self, job_name: str, context: Context) -> Iterator[None]:
        """Stop the job of a wait that is cut short, unless somebody will want it still.

        A worker that is evicted leaves the job to the next try. A user who ends the task, and `execution_timeout`, mean
        the job as well.
        """
        try:
            yield
        except WaitInterrupted as cut:
            self._killed = False  # the stop itself may have to wait
            stopped = (stop(self.services, job_name) or None) if stop_wanted(context["ti"]) else False
            raise WaitInterrupted(job_name, stopped=stopped) from cut
        except AirflowTaskTimeout:
            stop(self.services, job_name)
            raise


def _name(job: object) -> str:
    """Give the name of the job that a task was given, by name or by result; nothing where it was given none."""
    return str((job.get("job_name") if isinstance(job, Mapping) else job) or "")


def _credentials(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what must not be in a trigger's arguments."""
    for scheme, url in (config.get("proxies") or {}).items():
        if "@" in str(url):
            rule = "has credentials, which Airflow would keep and show in clear text while the task is deferred"
            remedy = "Put the proxy into the extra of the Airflow connection, under config_kwargs."
            yield Problem(f"botocore_config.proxies.{scheme}", "***", rule, remedy)
