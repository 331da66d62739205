"""Freed buffers stay in the process: seen from the pages that it has to ask for."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

ROUNDS = 50
FAULTS = f"""
import resource, sys, threading
from airflow_batchtx.engine.memory import MIB, reuse_buffers
kept = "keep" in sys.argv and reuse_buffers()
def work():
    for _ in range({ROUNDS}):
        held = [bytes(6 * MIB) for _ in range(6)]
        del held
worker = threading.Thread(target=work)
worker.start()
worker.join()
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(*arguments: str) -> tuple[int, int]:
    ran = subprocess.run([sys.executable, "-c", FAULTS, *arguments], capture_output=True, text=True, check=True)
    kept, count = map(int, ran.stdout.split())
    return kept, count


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_buffers_are_used_again() -> None:
    kept, with_reuse = faults("keep")
    _, without = faults()

    assert kept
    assert with_reuse < without / 4
