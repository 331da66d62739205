"""What prepare tasks made as the input of one job: several of them as one, and objects that are sent whole."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batchtx.control.assignment import Assignment, Origin
from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.submission import start
from airflow_batchtx.errors import InvalidJob
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.prepared import INPUT_PATH, PreparedInput
from airflow_batchtx.spec.prepared import settled as settled_request
from airflow_batchtx.spec.prices import PriceTable
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import World, assignment
from tests.fake_sagemaker import REQUEST


def made(world: World, day: int, rows: int = 3, **options: Any) -> PreparedInput:
    """Prepare what one task of a mapped one would."""
    source = f"s3://b/lake/{day}.csv"
    world.put(source, b"id,x\n" + b"".join(b"%d-%d,%d\n" % (day, row, row) for row in range(rows)))
    values = {"source": source, "output": f"s3://b/in/map-{day:05d}/", "keep": ["id"], "shard_rows": 2, **options}
    return prepare(world.store, PrepareRequest.read(values))


def assigned(*prepared: PreparedInput, **policy: Any) -> Assignment:
    request = wire.copied(REQUEST)
    wire.put(request, INPUT_PATH, [one.to_dict() for one in prepared])
    known, found = settled_request(request)
    return replace(assignment(known, **policy), prepared=found)


def finished(world: World, mine: Assignment) -> TransformResult:
    started = start(world.services, mine)
    while (described := world.services.jobs.describe(started.job_name))["TransformJobStatus"] == "InProgress":
        world.sleep(1)
    ending = Ending(services=world.services, policy=mine.policy, prices=PriceTable(prices={}))
    return ending.concluded(described, started.on_record)


def manifest(world: World, result: TransformResult) -> PreparedManifest:
    return PreparedManifest.read(world.store.get(S3Uri.parse(result.prepared or "")))


def outputs(world: World) -> list[str]:
    return [one.uri.key for one in world.store.objects(S3Uri("b", "out/"))]


class TestWhatSeveralTasksPrepared:
    def test_is_one_jobs_input_in_their_order(self) -> None:
        world = World({})
        prepared = [made(world, day) for day in (2, 1)]

        result = finished(world, assigned(*prepared))

        assert (result.rows, result.objects, result.objects_done) == (6, 4, 4)
        assert outputs(world) == [
            f"out/map-0000{day}/shards/part-0000{part}.csv.out" for day in (1, 2) for part in (0, 1)
        ]
        merged = manifest(world, result)
        assert [shard.uri for shard in merged.shards] == [
            f"s3://b/in/map-0000{day}/shards/part-0000{part}.csv" for day in (2, 1) for part in (0, 1)
        ]
        assert (merged.input, merged.rows, merged.columns, merged.kept) == ("s3://b/in/", 6, ("x",), {"id": "string"})
        assert [one.uri for one in merged.source] == ["s3://b/lake/2.csv", "s3://b/lake/1.csv"]

    def test_is_listed_in_the_control_folder_by_its_content(self) -> None:
        world = World({})
        result = finished(world, assigned(made(world, 1), made(world, 2)))

        digest = hashlib.sha256(world.store.get(S3Uri.parse(result.prepared or ""))).hexdigest()[:12]
        assert result.prepared == f"{result.control}prepared-{digest}.json"

    def test_of_one_task_alone_is_listed_where_that_wrote_it(self) -> None:
        world = World({})
        prepared = made(world, 1)
        result = finished(world, assigned(prepared))

        assert (result.prepared, result.objects) == (prepared.manifest, 2)
        assert world.batch.jobs[result.job_name]["TransformInput"]["DataSource"]["S3DataSource"] == {
            "S3DataType": "S3Prefix", "S3Uri": prepared.input,
        }  # fmt: skip

    def test_is_reused_as_long_as_it_is_the_same(self) -> None:
        world = World({})
        first = finished(world, assigned(made(world, 1), made(world, 2)))

        again = start(world.services, assigned(made(world, 1), made(world, 2), epoch=1))
        assert (again.job_name, again.origin) == (first.job_name, Origin.REUSED)

        changed = finished(world, assigned(made(world, 1), made(world, 2, rows=4), epoch=1))
        assert (changed.attempts, changed.rows, changed.objects_done) == (2, 7, 4)
        # The shards that stayed as they were are not paid for again.
        assert set(world.batch.sent.values()) == {1, 2}

    @pytest.mark.parametrize(
        ("options", "field"),
        [({"keep": []}, "kept"), ({"types": {"id": "large_string"}}, "kept"), ({"columns": ["id", "x"]}, "columns")],
    )
    def test_must_have_the_same_columns(self, options: dict[str, Any], field: str) -> None:
        world = World({})
        other = made(world, 2, **options)

        with pytest.raises(InvalidJob) as caught:
            start(world.services, assigned(made(world, 1), other))

        assert f"{other.manifest}, {field}" in [problem.field for problem in caught.value.problems]
        assert world.created == []

    def test_may_not_be_the_same_shards_twice(self) -> None:
        world = World({})
        first = made(world, 1)
        world.store.put(S3Uri("b", "copy.json"), world.store.get(S3Uri.parse(first.manifest)))

        with pytest.raises(InvalidJob) as caught:
            start(world.services, assigned(first, replace(first, manifest="s3://b/copy.json")))

        assert {problem.rule for problem in caught.value.problems} == {"was made by several tasks"}

    @settings(deadline=None, max_examples=20)
    @given(
        st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=4),
        st.integers(0, 3),
    )
    def test_has_every_row_once_however_it_was_cut(self, tasks: list[tuple[int, int]], beside: int) -> None:
        world = World({})
        prepared = [made(world, day, rows, shard_rows=most) for day, (rows, most) in enumerate(tasks)]
        for number in range(beside):
            world.put(f"s3://b/in/map-00000/shards/stranger-{number}", b"x\n")

        result = finished(world, assigned(*prepared))

        ids = [f"{day}-{row}" for day, (rows, _) in enumerate(tasks) for row in range(rows)]
        assert result.rows == manifest(world, result).rows == len(ids)
        assert sorted(world.batch.sent) == sorted(shard.uri for shard in manifest(world, result).shards)
        assert set(world.batch.sent.values()) == {1}
        assert len(outputs(world)) == result.objects_done == result.objects


IMAGES = {"s3://b/img/a.png": b"aa", "s3://b/img/_b/c.png": b"c", "s3://b/img/big/d.png": b"dd"}


class TestObjectsThatAreSentWhole:
    def prepared(self, world: World, *source: str) -> PreparedInput:
        values = {"source": source or ("s3://b/img/",), "output": "s3://b/in/", "content_type": "image/png"}
        return prepare(world.store, PrepareRequest.read(values))

    def test_are_all_that_the_job_reads(self) -> None:
        world = World(IMAGES)
        result = finished(world, assigned(self.prepared(world, "s3://b/img/a.png", "s3://b/img/_b/")))

        assert outputs(world) == ["out/_b/c.png.out", "out/a.png.out"]
        assert (result.rows, result.objects, result.content_type, result.accept) == (2, 2, "image/png", None)
        sent = world.batch.jobs[result.job_name]
        assert sent["TransformInput"]["SplitType"] == sent["TransformOutput"]["AssembleWith"] == "None"
        assert sent["TransformInput"]["DataSource"]["S3DataSource"]["S3DataType"] == "ManifestFile"

    def test_are_a_prefix_where_there_is_nothing_beside_them(self) -> None:
        world = World({uri: body for uri, body in IMAGES.items() if "_b" not in uri})
        result = finished(world, assigned(self.prepared(world)))

        assert result.objects == 2
        assert world.batch.jobs[result.job_name]["TransformInput"]["DataSource"]["S3DataSource"] == {
            "S3DataType": "S3Prefix", "S3Uri": "s3://b/img/",
        }  # fmt: skip

    def test_that_have_changed_or_are_gone_are_all_named(self) -> None:
        world = World(IMAGES)
        prepared = self.prepared(world)
        world.put("s3://b/img/a.png", b"other")
        world.store.delete([S3Uri("b", "img/big/d.png")])

        with pytest.raises(InvalidJob) as caught:
            start(world.services, assigned(prepared))

        assert [(problem.value, problem.rule) for problem in caught.value.problems] == [
            ("s3://b/img/a.png", "has changed since it was prepared"), ("s3://b/img/big/d.png", "is gone"),
        ]  # fmt: skip

    def test_of_several_tasks_are_one_jobs_too(self) -> None:
        world = World(IMAGES)
        values = {"output": "s3://b/in/1/", "content_type": "image/png"}
        first = prepare(world.store, PrepareRequest.read({**values, "source": "s3://b/img/a.png"}))
        second = prepare(
            world.store, PrepareRequest.read({**values, "source": "s3://b/img/big/d.png", "output": "s3://b/in/2/"})
        )

        result = finished(world, assigned(first, second))

        assert (result.objects, outputs(world)) == (2, ["out/a.png.out", "out/big/d.png.out"])
