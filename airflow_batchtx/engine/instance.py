"""One instance of a transform job, as a process: `python -m airflow_batchtx.engine.instance`.

It reads its order from the first line of standard input, tells events on standard output, and ends when its standard
input does: uploads are aborted and the model server is ended.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from airflow_batchtx.engine import reasons
from airflow_batchtx.engine.children import GRACE, when_parent_ends
from airflow_batchtx.engine.containers import serving
from airflow_batchtx.engine.logs import object_lines
from airflow_batchtx.engine.memory import reuse_buffers
from airflow_batchtx.engine.order import Event, EventKind, Order
from airflow_batchtx.engine.transforming import Transformer
from airflow_batchtx.engine.usage import Usage, metered
from airflow_batchtx.engine.window import LOOK, Budget, Lane
from airflow_batchtx.errors import BatchTransformError, ModelServerError, TransformStopped
from airflow_batchtx.modelserver.contract import STRATEGY_NAMES
from airflow_batchtx.modelserver.pipeline import Pipeline
from airflow_batchtx.planning.settings import Settings, Wishes, effective
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.records.batching import UNLIMITED

log = logging.getLogger(__name__)

# Objects that an instance has open at once, beyond the requests in flight: reading and writing small ones takes longer
# than most models do.
_STREAMS_BEYOND = 8
# How long a thread that computes keeps those waiting that have something to send or to receive, in seconds. With
# Python's own 5 ms a join holds up the uploads beside it (decision 0007).
_SWITCH_INTERVAL = 0.001

Tell = Callable[[EventKind, str], None]


def main() -> None:
    """Carry out the order on standard input; never returns."""
    reuse_buffers()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    # What libraries print must not come between the events.
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, format="instance: %(levelname)s %(name)s: %(message)s")
    if not (line := sys.stdin.readline()):
        os._exit(0)
    stopping, writing = threading.Event(), threading.Lock()

    def tell(kind: EventKind, text: str) -> None:
        with writing:
            out.write(Event(kind, text).to_json() + "\n")

    def stop() -> None:
        stopping.set()
        time.sleep(0.8 * GRACE)
        os._exit(1)

    when_parent_ends(stop)
    code = 1
    try:
        carry_out(Order.from_json(line), tell, stopping)
        code = 0
    except TransformStopped:
        code = 0
    except BrokenPipeError:
        log.debug("the engine is gone")
    except Exception:
        log.exception("the instance failed")
    finally:
        # Requests that nobody waits for any more must not keep the process.
        os._exit(code)


def carry_out(order: Order, tell: Tell, stopping: threading.Event) -> None:
    """Start the model's containers and transform all objects of the order."""

    def used(usage: Usage) -> None:
        tell(EventKind.USAGE, usage.to_json())

    try:
        with serving(order, stopping) as model, metered(used):
            store = order.s3.open()
            settings = effective(order.terms.wishes, _container_wishes(model))
            tell(EventKind.DATA_LOG, _settings_line(settings))
            lane = Lane(settings.max_concurrent_transforms, Budget(_budget(settings)), stopping)
            transformer = Transformer(store, model, order.terms, settings, lane)
            transform_all(order.transfers, transformer.transform, tell, lane)
            lane.close()
    except ModelServerError as error:
        for text in [error.detail, *error.body.splitlines()]:
            tell(EventKind.DATA_LOG, text)
        tell(EventKind.FAILED, reasons.reason(error))
    tell(EventKind.ENDED, "")


def transform_all(
    transfers: tuple[Transfer, ...], transform: Callable[[Transfer], None], tell: Tell, lane: Lane
) -> None:
    """Try every object, several at once, and tell what became of each; TransformStopped where the job is to stop."""

    todo, taking = iter(transfers), threading.Lock()

    def taken() -> Transfer | None:
        with taking:
            return None if lane.stopping.is_set() else next(todo, None)

    def stream() -> None:
        while (transfer := taken()) is not None:
            attempt(transfer)

    def attempt(transfer: Transfer) -> None:
        try:
            transform(transfer)
        except Exception as error:  # noqa: BLE001 whatever fails one object must not touch the others
            if not lane.stopping.is_set():
                _tell_failure(transfer, error, tell)

    count = min(lane.width + _STREAMS_BEYOND, len(transfers))
    pool = ThreadPoolExecutor(count, thread_name_prefix="object")
    streams = {pool.submit(stream) for _ in range(count)}
    pool.shutdown(wait=False)
    _settle(streams, lane)
    if lane.stopping.is_set():
        raise TransformStopped


def _settle(streams: set[Future[None]], lane: Lane) -> None:
    """Wait for streams, and raise what one of them raised.

    When the job is to stop, those that wait for the model are left to it: they write nothing any more.
    """
    left = streams
    while left and not (lane.stopping.is_set() and len(left) <= lane.asking):
        left = wait(left, timeout=LOOK).not_done
    for ended in streams - left:
        ended.result()


def _tell_failure(transfer: Transfer, error: Exception, tell: Tell) -> None:
    if isinstance(error, ModelServerError):
        lines = object_lines(transfer.source, error.detail, error.body)
    else:
        lines = object_lines(transfer.source, str(error) or type(error).__name__)
    if not isinstance(error, BatchTransformError):
        log.error("%s failed", transfer.source, exc_info=error)
    for line in lines:
        tell(EventKind.DATA_LOG, line)
    tell(EventKind.FAILED, reasons.reason(error))


def _container_wishes(model: Pipeline) -> Wishes:
    if (asked := model.execution_parameters()) is None:
        return Wishes()
    return Wishes(asked.max_concurrent_transforms, asked.max_payload_in_mb, asked.batch_strategy)


def _settings_line(settings: Settings) -> str:
    return (
        f"MaxConcurrentTransforms={settings.max_concurrent_transforms}, MaxPayloadInMB={settings.max_payload_in_mb},"
        f" BatchStrategy={STRATEGY_NAMES[settings.batch_strategy]}"
    )


def _budget(settings: Settings) -> int:
    """Give the bytes of payload that may be held: one payload for each request in flight, and one being read."""
    payload = settings.max_payload or UNLIMITED
    return payload * (settings.max_concurrent_transforms + 1)


if __name__ == "__main__":
    main()
