"""Several processes give what one gives; they end with the one that began them."""

from __future__ import annotations

import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import ProcessEnded, ProcessFailed, RowCountMismatch, TypeTooNarrow
from airflow_batchtx.spec.uri import S3Uri
from benchmarks.folder import Folder

ROWS = 300
RESULT = {
    "job_name": "j", "status": "Completed", "input": "s3://b/in/", "output": "s3://b/out/", "content_type": "text/csv",
    "accept": "text/csv",
}  # fmt: skip


def scored(root: Path, *answers: list[str]) -> Folder:
    store = Folder(root)
    for number, told in enumerate(answers):
        store.put(S3Uri("b", f"in/{number}.csv"), b"".join(b"%d,x\n" % row for row in range(ROWS)))
        store.put(S3Uri("b", f"out/{number}.csv.out"), "".join(f"{answer}\n" for answer in told).encode())
    return store


def run(store: Folder, processes: int, **options: Any) -> dict[str, bytes]:
    values = {"result": RESULT, "output": "s3://b/scored/", "input_columns": ["id", "x"], "processes": processes}
    associate(store, AssociateRequest.read(values | options), opener=partial(_same, store))
    return {found.uri.key: store.get(found.uri) for found in store.objects(S3Uri("b", "scored/"))}


def _same(store: Folder) -> Folder:
    return store


@pytest.mark.parametrize(
    "options",
    [
        {"format": "csv", "predictions": {"score": "string"}},
        {"format": "parquet"},
        {"format": "jsonlines", "partition_by": "prediction"},
        {"predictions": {"score": "int64"}, "max_dead": 10},
    ],
    ids=str,
)
def test_the_bytes_are_those_of_one_process(tmp_path: Path, options: dict[str, Any]) -> None:
    # The third object needs wider types than those that the others would have.
    answers = [[f"{row % 3}" for row in range(ROWS)] for _ in range(5)]
    answers[2][7] = "0.5"
    store = scored(tmp_path, *answers)
    one = run(store, 1, **options)
    several = run(store, 2, **options)

    assert several == one
    assert len([key for key in one if "/part-" in key and "_dead" not in key]) >= 5


def test_the_first_error_of_the_job_is_raised_and_nothing_is_left(tmp_path: Path) -> None:
    fine, short, odd = ["1"] * ROWS, ["1"], ["x"] * ROWS
    store = scored(tmp_path, fine, short, odd, fine, odd)

    with pytest.raises(RowCountMismatch) as caught:
        run(store, 3)
    assert (caught.value.uri, caught.value.rows_out) == ("s3://b/out/1.csv.out", 1)
    assert list(store.objects(S3Uri("b", "scored/"))) == []

    with pytest.raises(TypeTooNarrow):
        run(scored(tmp_path, fine, fine, odd), 2, predictions={"score": "int64"})
    assert list(store.objects(S3Uri("b", "scored/"))) == []


SCRIPT = """
import sys, time
from pathlib import Path
from airflow_batchtx.association.associate import associate
from tests.unit.association.test_processes import Asleep, RESULT, AssociateRequest
if __name__ == "__main__":
    store = Asleep(Path(sys.argv[1]))
    values = {"result": RESULT, "output": "s3://b/scored/", "processes": 2}
    associate(store, AssociateRequest.read(values), opener=lambda: store)
"""


class Asleep(Folder):
    """Nothing is ever written to it."""

    def writer(self, uri: S3Uri, **_: Any) -> Any:
        if uri.name.startswith("part-"):
            (self.root / f"{os.getpid()}.pid").touch()
            time.sleep(600)
        return super().writer(uri)


def test_processes_end_with_the_one_that_began_them(tmp_path: Path) -> None:
    scored(tmp_path, ["1"] * ROWS, ["2"] * ROWS)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    began = [sys.executable, str(script), str(tmp_path)]
    with subprocess.Popen(began, env={**os.environ, "PYTHONPATH": path}) as parent:
        assert wait_until(lambda: len(children(tmp_path)) == 2)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    left = not wait_until(lambda: not any(map(_lives, children(tmp_path))))
    for child in filter(_lives, children(tmp_path)):
        os.kill(child, signal.SIGKILL)

    assert not left


@pytest.mark.parametrize("kind", ["Killed", "Torn"])
def test_a_process_that_is_killed_is_told_of_and_nothing_is_left(tmp_path: Path, kind: str) -> None:
    store = scored(tmp_path, ["1"] * ROWS, ["2"] * ROWS)
    values = {"result": RESULT, "output": "s3://b/scored/", "processes": 2}

    with pytest.raises(ProcessEnded) as caught:
        associate(store, AssociateRequest.read(values), opener=lambda: KILLED[kind](tmp_path))
    assert (caught.value.uri, caught.value.code) == ("s3://b/in/0.csv", -signal.SIGKILL)
    assert list(store.objects(S3Uri("b", "scored/"))) == []


class OfALibrary(Exception):
    """An error that cannot be made again of its `args`, as many are."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call} gave {code}")


class Failing(Folder):
    def writer(self, uri: S3Uri, **_: Any) -> Any:
        raise OfALibrary("PutObject", 7)


def test_an_error_that_cannot_be_handed_over_is_described(tmp_path: Path) -> None:
    store = scored(tmp_path, ["1"] * ROWS, ["2"] * ROWS)
    values = {"result": RESULT, "output": "s3://b/scored/", "processes": 2}

    with pytest.raises(ProcessFailed) as caught:
        associate(store, AssociateRequest.read(values), opener=lambda: Failing(tmp_path))
    assert caught.value.uri == "s3://b/in/0.csv"
    assert caught.value.error.endswith("OfALibrary: PutObject gave 7")


class Torn(Folder):
    """Its process is killed while it tells what it has done."""

    def writer(self, uri: S3Uri, **_: Any) -> Any:
        told = next(fd for fd in range(3, 100) if _is_pipe(fd))
        os.write(told, pickle.dumps(("x" * 1000, None))[:500])
        os.kill(os.getpid(), signal.SIGKILL)


def _is_pipe(fd: int) -> bool:
    with suppress(OSError):
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    return False


class Killed(Folder):
    """Its process is killed where something is written to it, as by the kernel for want of memory."""

    def writer(self, uri: S3Uri, **_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


KILLED = {"Killed": Killed, "Torn": Torn}


def children(root: Path) -> list[int]:
    return [int(file.stem) for file in root.glob("*.pid")]


def wait_until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _lives(pid: int) -> bool:
    with suppress(OSError):
        # One that has ended and that nobody asks about is a zombie.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False
