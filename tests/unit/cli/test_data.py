"""`batchtx prepare`, `associate` and `plan`: what a task does, from a shell."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from rich.console import Console

from airflow_batchtx.cli.progress import bar
from airflow_batchtx.errors import BatchTransformError, InvalidInput, InvalidJob
from airflow_batchtx.planning.settings import MIB
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.spec.wire import put
from tests.fake_batch import World
from tests.fake_sagemaker import REQUEST
from tests.fakes import InMemoryStore
from tests.unit.cli.shell import batchtx, written

ROWS = 40
TABLE = b"id,x,y\n" + b"".join(b"%d,%d,0.5\n" % (number, number % 7) for number in range(ROWS))


@pytest.fixture
def world() -> World:
    # Jobs are made and outputs written by one clock, as on AWS.
    return World(objects={"s3://b/src/a.csv": TABLE}, now=InMemoryStore.BEGINNING.timestamp())


def ran(world: World, *arguments: str, **others: Any) -> Result:
    shown = batchtx(world, *arguments, **others)
    if isinstance(shown.exception, BatchTransformError):
        raise shown.exception
    return shown


def machine(world: World, *arguments: str, **others: Any) -> Any:
    shown = ran(world, *arguments, "--json", **others)
    assert shown.exit_code == 0, (shown.output, shown.exception)
    return json.loads(shown.stdout)


PREPARE = ("prepare", "s3://b/src/", "--output", "s3://b/in/", "--keep", "id", "--types", "id=int64")


# -------------------------------------------------------------------------------------------------------- prepare


def test_prepare_writes_what_a_task_would(world: World) -> None:
    prepared = machine(world, *PREPARE, "--columns", "x", "--shard-rows", "15")

    assert (prepared["rows"], prepared["shards"], prepared["content_type"]) == (ROWS, 3, "text/csv")
    assert world.store.get(S3Uri("b", "in/shards/part-00000.csv")).startswith(b"0\n1\n2\n")
    kept = pq.read_table(io.BytesIO(world.store.get(S3Uri("b", "in/kept/part-00002.parquet"))))
    assert kept.to_pydict() == {"id": list(range(30, 40))}


def test_people_see_a_summary_and_what_happens(world: World) -> None:
    shown = ran(world, *PREPARE)
    quiet = ran(world, *PREPARE, "--quiet")

    assert "Rows" in shown.stdout
    assert "s3://b/in/manifest.json" in shown.stdout
    assert "40 rows are 1 shards" in shown.stderr
    assert (quiet.stdout, quiet.stderr) == (shown.stdout, "")


def test_everything_that_is_wrong_is_told_at_once(world: World) -> None:
    with pytest.raises(InvalidInput) as caught:
        ran(world, "prepare", "src/", "--output", "s3://b/in/", "--shard-rows", "none at all", "--min-shards", "0")

    assert {problem.field for problem in caught.value.problems} == {"source", "shard_rows", "min_shards"}


def test_a_source_and_an_output_are_needed(world: World) -> None:
    assert batchtx(world, "prepare", "s3://b/src/").exit_code == 2
    assert batchtx(world, "prepare", "--output", "s3://b/in/").exit_code == 2


# ------------------------------------------------------------------------------------------------------ associate


def scored(world: World, folder: Path) -> str:
    """Prepare, run, and answer each row by its number; give the file of the result."""
    prepared = folder / "prepared.json"
    prepared.write_text(json.dumps(machine(world, *PREPARE, "--columns", "x", "--shard-rows", "15")))
    request = {name: value for name, value in REQUEST.items() if name != "TransformInput"}
    result = machine(world, "run", written(folder, request), "--prepared", str(prepared))
    start = 0
    for number in range(result["objects"]):
        rows = min(15, ROWS - start)
        uri = S3Uri("b", f"out/part-{number:05}.csv.out")
        world.store.put(uri, b"".join(b"%d\n" % (start + row) for row in range(rows)))
        start += rows
    # The fake job's own answers are on record; these came later.
    (file := folder / "result.json").write_text(json.dumps({**result, "record": None}))
    return str(file)


def table(world: World) -> dict[str, list[Any]]:
    parts = [found.uri for found in world.store.objects(S3Uri("b", "scored/part-"))]
    found = [pq.read_table(io.BytesIO(world.store.get(uri))).to_pydict() for uri in parts]
    return {name: [value for part in found for value in part[name]] for name in found[0]}


ASSOCIATE = ("--output", "s3://b/scored/")


def test_associate_puts_every_answer_beside_its_row(world: World, tmp_path: Path) -> None:
    file = scored(world, tmp_path)

    output = machine(world, "associate", file, *ASSOCIATE, "--predictions", "score=int64")

    assert (output["rows"], output["parts"], output["columns"]) == (ROWS, 3, ["id", "score"])
    assert table(world) == {"id": list(range(ROWS)), "score": list(range(ROWS))}


def test_a_result_comes_from_a_pipe_too(world: World, tmp_path: Path) -> None:
    sent = Path(scored(world, tmp_path)).read_text()

    shown = ran(world, "associate", "-", *ASSOCIATE, sent=sent)

    assert "Rows" in shown.stdout
    assert len(table(world)["id"]) == ROWS


def test_a_page_about_the_table(world: World, tmp_path: Path) -> None:
    file, report = scored(world, tmp_path), tmp_path / "report.html"

    shown = ran(world, "associate", file, *ASSOCIATE, "--report", str(report))

    assert str(report) in "".join(shown.stdout.split())
    assert "40 rows in = 40 rows out" in report.read_text()


def test_a_page_in_a_folder_that_is_not_there_is_refused_before_any_work(world: World, tmp_path: Path) -> None:
    shown = batchtx(
        world, "associate", scored(world, tmp_path), *ASSOCIATE, "--report", str(tmp_path / "no" / "r.html")
    )

    assert shown.exit_code == 2
    assert "no folder" in shown.stderr
    assert not list(world.store.objects(S3Uri("b", "scored/")))


def test_a_page_is_about_a_whole_table(world: World, tmp_path: Path) -> None:
    shown = batchtx(world, "associate", "r.json", *ASSOCIATE, "--share", "1/2", "--report", str(tmp_path / "r.html"))

    assert shown.exit_code == 2
    assert "whole table" in shown.stderr


def test_a_job_by_its_name(world: World, tmp_path: Path) -> None:
    name = json.loads(Path(scored(world, tmp_path)).read_text())["job_name"]

    # The world's own answers are on record for it, and have been written over since.
    with pytest.raises(BatchTransformError, match="on record"):
        ran(world, "associate", "--job-name", name, *ASSOCIATE)


def test_two_prefixes_and_no_job(world: World, tmp_path: Path) -> None:
    scored(world, tmp_path)

    places = ("--input", "s3://b/in/shards/", "--answers", "s3://b/out/")
    output = machine(world, "associate", *places, *ASSOCIATE, "--content-type", "text/csv", "--split-type", "Line")

    assert (output["rows"], output["columns"]) == (ROWS, ["input_object", "record", "prediction"])


@pytest.mark.parametrize("options", [(), ("--job-name", "a", "--input", "s3://b/in/")])
def test_one_way_to_say_which_answers_are_meant(world: World, options: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        ran(world, "associate", *ASSOCIATE, *options)


@pytest.mark.parametrize("body", ["", "null", "[]"])
def test_what_is_no_result(world: World, tmp_path: Path, body: str) -> None:
    (file := tmp_path / "result.json").write_text(body)

    with pytest.raises(InvalidInput, match="batchtx run --json"):
        ran(world, "associate", str(file), *ASSOCIATE)


# ------------------------------------------------------------------------------------------------------- --prepared


@pytest.mark.parametrize("body", ["{}", "[]", '[{"input": 1}]', "7"])
def test_what_was_not_prepared_is_no_input(world: World, tmp_path: Path, body: str) -> None:
    (file := tmp_path / "prepared.json").write_text(body)

    with pytest.raises(InvalidInput, match="batchtx prepare --json"):
        ran(world, "run", written(tmp_path), "--prepared", str(file))


# ------------------------------------------------------------------------------------------------------------ plan


def big(*sizes: int) -> World:
    return World(objects={f"s3://b/in/{number}.csv": b"1,2,3\n" * (size // 6) for number, size in enumerate(sizes)})


def lines(request: Any = REQUEST, **members: Any) -> Any:
    whole = json.loads(json.dumps(request))
    for name, value in {"split_type": "Line", "content_type": "text/csv", **members}.items():
        put(whole, BY_NAME[name].path, value)
    return whole


def test_a_plan_for_a_request(tmp_path: Path) -> None:
    world = big(600, 1200)

    found = machine(world, "plan", written(tmp_path, lines()))

    assert (found["input"]["objects"], found["input"]["bytes"], found["input"]["records"]) == (2, 1800, 300)
    assert found["members"] == {"instance_count": 2, "max_payload_in_mb": 6, "max_concurrent_transforms": 2}
    assert found["why"].keys() == found["members"].keys()
    assert found["expected"]["transform_seconds"] is None
    assert "--mb-per-second" in found["expected"]["why_time"]
    assert list(world.store.objects(S3Uri("b", ""))) == list(big(600, 1200).store.objects(S3Uri("b", "")))


def test_a_rate_that_a_user_knows(tmp_path: Path) -> None:
    world = big(3 * MIB, 3 * MIB)

    found = machine(world, "plan", written(tmp_path, lines()), "--mb-per-second", "0.5", "--within", "10s")

    assert found["members"]["instance_count"] == 2
    assert found["expected"]["transform_seconds"] == pytest.approx(6.0)
    assert found["expected"]["currency"] == "USD"
    assert found["expected"]["cost"] > 0


def test_a_rate_of_a_former_job(tmp_path: Path) -> None:
    world = big(3 * MIB, 3 * MIB)
    machine(world, "run", written(tmp_path, lines(max_concurrent_transforms=7)))

    found = machine(world, "plan", written(tmp_path, lines()))

    # It took the fake job two minutes; both of its instances had three megabytes.
    assert found["expected"]["transform_seconds"] == pytest.approx(120.0)
    assert found["expected"]["provisioning_seconds"] == 180.0
    assert found["members"]["max_concurrent_transforms"] == 7


def test_a_plan_for_a_table(world: World, tmp_path: Path) -> None:
    before = list(world.store.objects(S3Uri("b", "")))

    options = ("--source", "s3://b/src/", "--keep", "id", "--columns", "x,y", "--shard-rows", "10")
    found = machine(world, "plan", written(tmp_path, lines()), *options)

    assert found["input"]["records"] == pytest.approx(ROWS, rel=0.2)
    assert found["input"]["bytes"] == pytest.approx(6 * ROWS, rel=0.2)
    assert (found["sharding"]["shard_rows"], found["sharding"]["min_shards"]) == (10, 2)
    assert found["sharding"]["reasons"]
    assert list(world.store.objects(S3Uri("b", ""))) == before


def test_a_plan_without_a_request(world: World) -> None:
    found = machine(world, "plan", "--source", "s3://b/src/", "--instance-type", "ml.m5.xlarge")

    assert found["members"] == {"instance_count": 1, "max_payload_in_mb": 6, "max_concurrent_transforms": 4}
    assert "--model-name" in found["expected"]["why_time"]


def test_a_request_that_can_be_no_jobs_is_refused(tmp_path: Path) -> None:
    request = written(tmp_path, lines(instance_count=0))

    with pytest.raises(InvalidJob, match="instance_count"):
        ran(big(600), "plan", request)


def test_objects_that_are_sent_whole(tmp_path: Path) -> None:
    found = machine(big(600, 1200), "plan", written(tmp_path))

    assert found["input"]["records"] == 2
    assert "the largest object" in found["why"]["max_payload_in_mb"]


def test_images_that_are_to_be_prepared(world: World) -> None:
    world.put("s3://b/images/a.png", b"x" * (7 * MIB))
    world.put("s3://b/images/b.png", b"x")

    options = ("--source", "s3://b/images/", "--content-type", "image/png")
    found = machine(world, "plan", *options, "--mb-per-second", "1", "--within", "7s")

    assert (found["input"]["objects"], found["sharding"]) == (2, None)
    assert found["members"] == {"instance_count": 2, "max_payload_in_mb": 7}


def test_shards_are_of_the_type_that_the_request_says(world: World, tmp_path: Path) -> None:
    request = lines(content_type="application/jsonlines")

    found = machine(world, "plan", written(tmp_path, request), "--source", "s3://b/src/", "--columns", "x")

    assert found["input"]["bytes"] > ROWS * len('{"x":"1"}')


def test_people_see_every_choice_with_its_reason(tmp_path: Path) -> None:
    shown = " ".join(ran(big(600, 1200), "plan", written(tmp_path, lines())).stdout.split())

    assert "input 2 objects of 1.8 KB, about 300 records" in shown
    assert "instance_count 2 as the request says" in shown
    assert "transform ?" in shown
    assert "cost ?" in shown


def test_nothing_to_plan_for(world: World, tmp_path: Path) -> None:
    request = {name: value for name, value in REQUEST.items() if name != "TransformInput"}

    assert batchtx(world, "plan").exit_code == 2
    with pytest.raises(InvalidInput, match="--source"):
        ran(world, "plan", written(tmp_path, request))


# -------------------------------------------------------------------------------------------------------- progress


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (True, True), (False, False)])
def test_a_bar_of_bytes_on_a_terminal_only(terminal: bool, quiet: bool) -> None:
    file = io.StringIO()

    with bar(Console(file=file, force_terminal=terminal, width=200), "preparing", quiet=quiet) as report:
        report(1000, 4000)

    assert ("1.0/4.0 kB" in file.getvalue()) == (terminal and not quiet)
