"""A table on its way through a real engine, by the command line alone."""

from __future__ import annotations

import io
import json
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from tests.engines import Desk
from tests.integration.cli.conftest import Shell

ROWS = 500


def in_bucket(desk: Desk, key: str) -> str:
    return f"s3://{desk.bucket}/{key}"


@pytest.fixture
def request_file(shell: Shell, desk: Desk) -> str:
    """A request without an input."""
    desk.put_at("src/a.csv", b"id,x\n" + b"".join(b"%d,%s\n" % (row, b"9" * (row % 7 + 1)) for row in range(ROWS)))
    request = desk.request(desk.model(desk.models.url("numbered")), TransformJobName=f"tables-{uuid4().hex[:8]}")
    del request["TransformInput"]
    return shell.write(request)


def prepared(shell: Shell, desk: Desk, *options: str) -> str:
    told = shell.told(
        "prepare", in_bucket(desk, "src/"), "--output", in_bucket(desk, "staged/"), "--keep", "id",
        "--types", "id=int64", *options,
    )  # fmt: skip
    assert told["rows"] == ROWS
    return shell.write(told, "prepared.json")


def test_a_table_is_prepared_planned_run_and_associated(shell: Shell, desk: Desk, request_file: str) -> None:
    staged = prepared(shell, desk, "--columns", "x", "--shard-rows", "100")

    before = shell.told("plan", request_file, "--prepared", staged)
    result = shell.run("run", request_file, "--prepared", staged, "--json")
    output = ("--output", in_bucket(desk, "scored/"))
    (shell.folder / "result.json").write_text(result.stdout)
    made = shell.told("associate", "result.json", *output, "--report", "report.html", "--predictions", "length")
    again = shell.told(
        "associate", "--job-name", json.loads(result.stdout)["job_name"], *output, "--predictions", "length"
    )
    after = shell.told("plan", request_file, "--prepared", staged)

    assert (before["input"]["objects"], before["input"]["records"]) == (5, ROWS)
    assert before["expected"]["transform_seconds"] is None
    assert made == again
    assert (made["rows"], made["parts"], made["columns"]) == (ROWS, 5, ["id", "length"])
    parts = [pq.read_table(io.BytesIO(desk.get(key))) for key in desk.keys("scored/part-")]
    rows = [row for part in parts for row in part.to_pylist()]
    assert rows == [{"id": row, "length": row % 7 + 1} for row in range(ROWS)]
    assert "500 rows in = 500 rows out" in (shell.folder / "report.html").read_text()
    # By now there is a former job.
    assert after["expected"]["transform_seconds"] > 0
    assert json.loads(result.stdout)["job_name"] in after["expected"]["why_time"]


def test_a_pipe_from_run_to_associate(shell: Shell, desk: Desk, request_file: str) -> None:
    staged = prepared(shell, desk, "--columns", "x", "--instance-count", "2")
    ran = shell.run("run", request_file, "--prepared", staged, "--json", "--quiet")

    with shell.start("status", json.loads(ran.stdout)["job_name"], "--json") as status:
        told, _ = status.communicate(timeout=60)
    (shell.folder / "told.json").write_text(told)
    made = shell.told("associate", "told.json", "--output", in_bucket(desk, "scored/"), "--format", "csv")

    assert (made["rows"], made["parts"]) == (ROWS, 2)
    table = [desk.get(key) for key in desk.keys("scored/part-")]
    assert table[0].startswith(b"id,prediction\n0,1\n1,2\n")
    shell.told("associate", "told.json", "--output", in_bucket(desk, "scored/"), "--format", "csv", "--processes", "2")
    assert [desk.get(key) for key in desk.keys("scored/part-")] == table


def test_images_come_back_with_what_was_said_of_them(shell: Shell, desk: Desk, request_file: str) -> None:
    for number in range(3):
        desk.put_at(f"images/{number}.png", b"\x89PNG" + b"x" * number)
    desk.put_at("images/notes.txt", b"none of them")
    told = shell.told(
        "prepare", in_bucket(desk, "images/"), "--output", in_bucket(desk, "staged/"), "--content-type", "image/png",
        "--include", "*.png",
    )  # fmt: skip
    staged = shell.write(told, "prepared.json")

    planned = shell.told("plan", request_file, "--prepared", staged)
    name = shell.told("run", request_file, "--prepared", staged, "--quiet")["job_name"]
    made = shell.told("associate", "--job-name", name, "--output", in_bucket(desk, "scored/"))

    assert (told["rows"], told["split_type"], planned["input"]["objects"]) == (3, "None", 3)
    assert made["rows"] == 3
    [table] = [pq.read_table(io.BytesIO(desk.get(key))).to_pydict() for key in desk.keys("scored/part-")]
    assert table["object"] == [in_bucket(desk, f"images/{number}.png") for number in range(3)]
    # The model answers with the length of what it was sent.
    assert [str(said).strip() for said in table["prediction"]] == ["4", "5", "6"]


def test_a_plan_of_a_table_writes_nothing(shell: Shell, desk: Desk, request_file: str) -> None:
    before = desk.keys("")

    found = shell.told("plan", request_file, "--source", in_bucket(desk, "src/"), "--keep", "id", "--within", "1h")

    assert found["input"]["records"] == pytest.approx(ROWS, rel=0.05)
    assert found["sharding"]["min_shards"] == 1
    assert desk.keys("") == before


def test_what_is_wrong_is_told_and_ends_with_one(shell: Shell, desk: Desk) -> None:
    wrong = shell.run("prepare", in_bucket(desk, "nothing/"), "--output", in_bucket(desk, "staged/"))

    assert wrong.returncode == 1
    assert "holds no objects with rows" in wrong.stderr
    assert "Traceback" not in wrong.stderr
