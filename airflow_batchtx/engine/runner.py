"""Runs transform jobs: a thread for each job, a process for each of its instances."""

from __future__ import annotations

import logging
import queue
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow_batchtx.engine import reasons, worklist
from airflow_batchtx.engine.capture import capture
from airflow_batchtx.engine.children import GRACE, Child
from airflow_batchtx.engine.containers import Prepared, Unpacked, unpacked
from airflow_batchtx.engine.faults import NONE, Faults, Interference, of_job
from airflow_batchtx.engine.folders import JobFolder
from airflow_batchtx.engine.inputs import inputs
from airflow_batchtx.engine.logs import LogSink
from airflow_batchtx.engine.order import Event, EventKind, Order, Terms, terms
from airflow_batchtx.engine.registry import Job, Registry
from airflow_batchtx.engine.stoppable import StoppableStore
from airflow_batchtx.engine.stores import S3Address
from airflow_batchtx.engine.telemetry import Telemetry
from airflow_batchtx.engine.usage import Usage
from airflow_batchtx.engine.waiting import Signal
from airflow_batchtx.errors import BatchTransformError, TransformStopped
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.planning.transfers import Transfer, shares, transfers
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a runner runs jobs with. `home` holds their folders, `logs` opens a job's logs in one.

    `docker` is who owns the containers of real images, None where images are not run. `faults` are for jobs that ask
    for no others.
    """

    home: Path
    store: ObjectStore
    s3: S3Address
    ping_seconds: float
    logs: Callable[[Path], LogSink]
    telemetry: Telemetry
    clock: Callable[[], float]
    docker: str | None = None
    faults: Faults = NONE


@dataclass(eq=False)
class _Run:
    """A job that runs now. Whoever holds `lock` and finds `stopping` unset may add instances."""

    job: Job
    stopping: Signal = field(default_factory=Signal)
    instances: list[Child] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: threading.Thread | None = None

    def stop(self) -> None:
        """Ask all instances to end, and let no more begin."""
        with self.lock:
            self.stopping.set()
            for instance in self.instances:
                instance.dismiss()

    def add_instance(self) -> Child:
        """Start the process of one more instance."""
        with self.lock:
            if self.stopping.is_set():
                raise TransformStopped
            self.instances.append(Child("airflow_batchtx.engine.instance"))
            return self.instances[-1]


class Runner:
    """Starts and stops jobs, and keeps the registry's word on them true."""

    def __init__(self, registry: Registry, workplace: Workplace) -> None:
        self._registry, self._workplace = registry, workplace
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()
        self._closed = False

    def settle_orphans(self) -> None:
        """End, in the registry, the jobs of an engine that is gone; their instances ended with it.

        No job may run: whatever any of them has left of its work is removed.
        """
        for job in self._registry.unfinished():
            self._settle(job, reasons.INTERNAL_ERROR)
        for folder in JobFolder.all(self._workplace.home):
            _remove(folder.work)

    def start(self, job: Job) -> None:
        """Begin to run a job; returns at once."""
        run = _Run(job)
        run.thread = threading.Thread(target=self._run, args=(run,), name=f"job-{job.name}", daemon=True)
        with self._lock:
            if self._closed:
                run.stopping.set()
            self._runs[job.arn] = run
        run.thread.start()

    def stop(self, job: Job) -> None:
        """End a job that is Stopping; returns at once."""
        with self._lock:
            run = self._runs.get(job.arn)
        if run is None:
            self._settle(job, None)
        else:
            run.stop()

    def close(self) -> None:
        """End all jobs and their processes; jobs that had not ended by themselves are Failed then."""
        with self._lock:
            self._closed = True
            runs = list(self._runs.values())
        for run in runs:
            run.stop()
        for run in runs:
            assert run.thread is not None
            run.thread.join(2 * GRACE)
        self.settle_orphans()

    # ------------------------------------------------------------------------------------------------- one job

    def _run(self, run: _Run) -> None:
        reason: str | None = reasons.INTERNAL_ERROR
        try:
            reason = self._outcome(run)
        except TransformStopped:
            log.info("%s: stopped", run.job.name)
        except BatchTransformError as error:
            log.warning("%s: %s", run.job.name, error)
            # No object is to blame, so no instance has said it.
            self._sink(run.job).data_log(self._instance_name(), str(error))
            reason = reasons.reason(error)
        except Exception:
            log.exception("%s: the engine failed", run.job.name)
        finally:
            self._settle(run.job, reason)
            with self._lock:
                del self._runs[run.job.arn]

    def _outcome(self, run: _Run) -> str | None:
        """Run a job to its end; the reason why it failed, None if it did not."""
        faults = of_job(run.job.request, self._workplace.faults)
        if run.stopping.wait(faults.provisioning_seconds):
            raise TransformStopped
        if faults.lacks(run.job.request["TransformResources"]["InstanceType"]):
            return reasons.CAPACITY_ERROR
        return self._transformed(run, faults)

    def _transformed(self, run: _Run, faults: Faults) -> str | None:
        sink = self._sink(run.job)
        self._workplace.telemetry.begins(run.job, self._folder(run.job).logs)
        store = StoppableStore(self._workplace.store, run.stopping)
        prefix, todo = run.stopping.or_done(partial(self._shares, run.job, store))
        with self._work_folder(run.job) as folder, _instances(run, len(todo)) as instances:
            if (started := self._registry.mark_started(run.job)) is None:
                raise TransformStopped
            unpack = partial(unpacked, store, run.job.model, folder / "models")
            containers = run.stopping.or_done(unpack, undo=partial(_remove, folder))
            prepared = self._prepared(run.job, containers, terms(run.job.request, started=started))
            orders = self._orders(prepared, todo, sink)
            interference = Interference(faults.fail_every, faults.drop_every)
            told: queue.SimpleQueue[str | None] = queue.SimpleQueue()
            for (name, order), instance in zip(orders, instances, strict=True):
                instance.tell(replace(order, interference=interference).to_json())
                used = partial(self._workplace.telemetry.used, run.job, name)
                threading.Thread(target=_listen, args=(instance, name, sink, used, told), daemon=True).start()
            failures = [told.get() for _ in instances]
        if run.stopping.wait(started + faults.transform_seconds - self._workplace.clock()):
            raise TransformStopped
        if (reason := reasons.gravest(failure for failure in failures if failure)) is None:
            done = chain.from_iterable(todo)
            how: dict[str, Any] = {"prefix": prefix, "started": started, "new_id": _new_id}
            run.stopping.or_done(partial(capture, store, run.job.request, done, **how))
        return reason

    def _shares(self, job: Job, store: ObjectStore) -> tuple[S3Uri, list[tuple[Transfer, ...]]]:
        """List and keep the input's objects and deal them to instances; one with nothing to do is not started."""
        prefix, sources = inputs(store, job.request["TransformInput"]["DataSource"]["S3DataSource"])
        output = address(job.request["TransformOutput"]["S3OutputPath"])
        todo = transfers(prefix, sources, output)
        self._registry.note_objects(job, worklist.write(self._folder(job).objects, todo))
        dealt = shares(todo, job.request["TransformResources"]["InstanceCount"])
        return prefix, [share for share in dealt if share]

    def _prepared(self, job: Job, containers: Unpacked, agreed: Terms) -> Prepared:
        return Prepared(
            containers,
            job.request.get("Environment", {}),
            job.region,
            agreed,
            packages=self._workplace.home / "packages",
            docker=self._workplace.docker,
            isolated=bool(job.model.request.get("EnableNetworkIsolation")),
        )

    def _orders(
        self, prepared: Prepared, todo: list[tuple[Transfer, ...]], sink: LogSink
    ) -> Iterator[tuple[str, Order]]:
        place = self._workplace
        for share in todo:
            name = self._instance_name()
            order = Order(
                containers=tuple(prepared.orders(name, sink)),
                terms=prepared.terms,
                transfers=share,
                s3=place.s3,
                ping_seconds=place.ping_seconds,
            )
            yield name, order

    def _instance_name(self) -> str:
        return f"i-{secrets.token_hex(9)[:17]}-{int(self._workplace.clock())}"

    def _sink(self, job: Job) -> LogSink:
        return self._workplace.logs(self._folder(job).logs)

    def _folder(self, job: Job) -> JobFolder:
        return JobFolder.of(self._workplace.home, job)

    @contextmanager
    def _work_folder(self, job: Job) -> Iterator[Path]:
        folder = self._folder(job).work
        # What an engine that was killed left there is of no use to a job of the same name in a new registry.
        _remove(folder)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            _remove(folder)

    def _settle(self, job: Job, reason: str | None) -> None:
        """Note how a job ended: one that was told to stop is Stopped, whatever became of it meanwhile."""
        # Clients read a job's logs as soon as it has ended.
        self._workplace.telemetry.ends(job)
        ended = JobStatus.FAILED if reason else JobStatus.COMPLETED
        if not self._registry.move(job, ended, reason):
            self._registry.move(job, JobStatus.STOPPED)


@contextmanager
def _instances(run: _Run, count: int) -> Iterator[list[Child]]:
    """Start the processes of a job; none is left afterwards."""
    try:
        yield [run.add_instance() for _ in range(count)]
    finally:
        for instance in run.instances:
            instance.dismiss()
        for instance in run.instances:
            instance.end()


def _listen(
    instance: Child,
    name: str,
    sink: LogSink,
    used: Callable[[Usage], None],
    told: queue.SimpleQueue[str | None],
) -> None:
    """Pass on what an instance tells until it ends, then say why it failed; None if it did not."""
    failures, whole = [], False
    for line in instance.told():
        event = Event.from_json(line)
        if event.kind is EventKind.DATA_LOG:
            sink.data_log(name, event.text)
        elif event.kind is EventKind.USAGE:
            used(Usage.from_json(event.text))
        elif event.kind is EventKind.FAILED:
            failures.append(event.text)
        elif event.kind is EventKind.ENDED:
            whole = True
    told.put(reasons.gravest(failures if whole else [*failures, reasons.INTERNAL_ERROR]))


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _new_id() -> str:
    return str(uuid4())
