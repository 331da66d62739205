"""Memory does not grow with the data: sources of two sizes, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Megabytes that a task may take, and that 130 MB more data may take beside: buffers are not full at once.
MOST, MORE = 400, 100

CODE = """
import sys
from contextlib import contextmanager
from airflow_batchtx.errors import ObjectNotFound
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject

form, blocks, options = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
LINES = {
    "csv": '{0},customer {0:09d},{1},"some, text"\\n',
    "jsonl": '{{"id":{0},"name":"customer {0:09d}","score":{1},"note":"some, text"}}\\n',
}
BLOCK = "".join(LINES[form].format(number, number * 37 % 1000 / 8) for number in range(20_000)).encode()
HEAD = b"id,name,score,note\\n" if form == "csv" else b""


class Generated:
    closed = False

    def __init__(self):
        self.size, self.held, self.left = len(HEAD) + blocks * len(BLOCK), HEAD, blocks

    def read(self, size=-1):
        while len(self.held) < size and self.left:
            # In the middle lies a record that is damaged.
            self.held, self.left = self.held + BLOCK + b"no\\n" * (self.left == blocks // 2), self.left - 1
        data, self.held = self.held[:size], self.held[size:]
        return data


class Store:
    def objects(self, prefix):
        return iter([self.stat(S3Uri("b", f"src/a.{form}"))] if prefix.key == "src/" else [])

    def stat(self, uri):
        return StoredObject(uri, Generated().size, "x")

    @contextmanager
    def reader(self, uri):
        yield Generated()

    @contextmanager
    def writer(self, uri, **options):
        class Nowhere:
            def write(self, data):
                return len(data)
        yield Nowhere()

    def get(self, uri):
        raise ObjectNotFound(str(uri), "NoSuchKey", "")

    def put(self, uri, body, **options):
        return "x"

    def delete(self, uris):
        pass


request = PrepareRequest.read({"source": "s3://b/src/", "output": "s3://b/in/", "keep": ["id"], **options})
prepared = prepare(Store(), request)
assert (prepared.rows, prepared.quarantined) == (20_000 * blocks, 1), prepared
status = open("/proc/self/status").read()
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""


def peak(form: str, blocks: int, options: dict[str, object]) -> int:
    """Prepare so many times 20,000 rows, and give the most megabytes that the process had."""
    command = [sys.executable, "-c", CODE, form, str(blocks), repr({**options, "max_quarantined": 5})]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("form", "options"),
    [("csv", {"types": {"score": "double"}}), ("jsonl", {"content_type": "application/jsonlines"})],
    ids=str,
)
def test_four_times_the_data_take_no_more_memory(form: str, options: dict[str, object]) -> None:
    small, large = peak(form, 60, options), peak(form, 240, options)

    assert large < MOST
    assert large < small + MORE
