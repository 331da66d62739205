"""A triggerer of one kind of trigger, as a process to measure: `python -m benchmarks.triggering`.

It reads a line of JSON: whose triggers, how many `tasks`, and for how many `seconds` at most; says `ready` once it has
imported all that they need, begins at the next line, and then tells in JSON what it saw. It runs triggers as Airflow's
triggerer does: made one after another of what they are serialized to, each in an asyncio task.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

INTERVAL = 30
TICK = 0.01


def ours(job: str) -> Any:
    from airflow_batchtx.triggers.batch_transform import BatchTransformTrigger

    return BatchTransformTrigger(job, aws_conn_id=None, poll_interval=INTERVAL, record=f"s3://lake/_batchtx/{job}/")


def amazons(job: str) -> Any:
    from airflow.providers.amazon.aws.triggers.sagemaker import SageMakerTrigger

    return SageMakerTrigger(job, "transform", waiter_delay=INTERVAL, waiter_max_attempts=480, aws_conn_id=None)


# What triggers import in passing is no memory or stall of theirs: it happens once in a triggerer's life.
WAYS = {
    "ours": (ours, ("airflow_batchtx.hooks.paced",)),
    "amazon": (amazons, ("aiobotocore.session", "airflow.providers.amazon.aws.utils.waiter_with_logging")),
}


def memory(kind: str) -> float:
    """MB; VmRSS is what the process has, VmHWM the most it had since `forget_peak`."""
    found = re.search(rf"{kind}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def without_processor() -> dict[str, float]:
    """Seconds for which each thread was ready to run, and the machine was busy with others."""
    waits = {}
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended
            waits[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return waits


async def stalls(worst: list[float]) -> None:
    """Keep the longest time for which the event loop did not turn, though this process had a processor.

    A thread that holds the interpreter's lock and gets no processor stalls the loop as well.
    """
    while True:
        idle, before = without_processor(), time.perf_counter()
        await asyncio.sleep(TICK)
        took = time.perf_counter() - before - TICK
        if took > worst[0]:
            waited = max(now - idle.get(thread, now) for thread, now in without_processor().items())
            worst[0] = max(worst[0], took - waited)


@contextmanager
def collections(longest: list[float]) -> Iterator[None]:
    """Keep the longest time that Python's garbage collector took at once, in seconds: it holds up everything."""
    began = 0.0

    def told(phase: str, _: dict[str, int]) -> None:
        nonlocal began
        now = time.perf_counter()
        if phase == "stop":
            longest[0] = max(longest[0], now - began)
        began = now

    gc.callbacks.append(told)
    try:
        yield
    finally:
        gc.callbacks.remove(told)


async def fired(path: str, arguments: dict[str, Any], events: dict[str, float]) -> None:
    module, _, name = path.rpartition(".")
    trigger = getattr(import_module(module), name)(**arguments)
    async for _ in trigger.run():
        events[arguments["job_name"]] = time.time()
        return


async def run(serialized: list[tuple[str, dict[str, Any]]], seconds: float) -> dict[str, Any]:
    collected = [0.0]
    with collections(collected):
        return await watched(serialized, seconds) | {"collected": collected[0]}


async def watched(serialized: list[tuple[str, dict[str, Any]]], seconds: float) -> dict[str, Any]:
    worst, events = [0.0], dict[str, float]()
    watchdog = asyncio.create_task(stalls(worst))
    await asyncio.sleep(0.1)
    worst[0] = 0.0
    before = memory("VmRSS")
    forget_peak()
    began = time.time()
    running = []
    for path, arguments in serialized:
        running.append(asyncio.create_task(fired(path, arguments, events)))
        await asyncio.sleep(0)
    _, late = await asyncio.wait(running, timeout=seconds)
    told = {"stall": worst[0], "memory": memory("VmHWM") - before, "seconds": time.time() - began, "events": events}
    for task in late:
        task.cancel()
    watchdog.cancel()
    errors = [str(task.exception()) for task in running if task not in late and task.exception()]
    return told | {"errors": errors[:3]}


def main() -> None:
    told = json.loads(sys.stdin.readline())
    make, modules = WAYS[told["way"]]
    for module in modules:
        import_module(module)
    serialized = [make(f"job-{number}").serialize() for number in range(told["tasks"])]
    gc.collect()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asyncio.run(run(serialized, told["seconds"]))), flush=True)


if __name__ == "__main__":
    main()
