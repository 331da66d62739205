"""Tables made by a job's record: prepare, job control and associate as they are, SageMaker and S3 in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.submission import start
from airflow_batchtx.errors import (
    AssociationError,
    InvalidInput,
    JobFailed,
    ObjectNotFound,
    OutputMissing,
    StaleOutput,
)
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.policy import OnStopped, Policy, Verify
from airflow_batchtx.spec.prepared import INPUT_PATH, settled
from airflow_batchtx.spec.prices import PriceTable
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri
from tests.fake_batch import FakeBatch, World, assignment
from tests.fake_sagemaker import REQUEST
from tests.fakes import InMemoryStore, OpenObject

ROWS = ("a,1", "b,2", "c,3", "d,4", "e,5")
OUT = tuple(f"s3://b/out/part-0000{number}.csv.out" for number in range(3))
SHARDS = tuple(f"s3://b/in/shards/part-0000{number}.csv" for number in range(3))
RERUN = 1  # the epoch of a task that was cleared once


class Echo(FakeBatch):
    """Answers every object with itself."""

    def _transform(self, job: Mapping[str, Any]) -> None:
        super()._transform(job)
        for uri, body in list(self.store.bodies.items()):
            if uri.key.startswith("out/") and body.endswith(b"!"):
                self.store.put(uri, body.removesuffix(b"!"))


class Lake:
    """Three shards of five rows, of which the model is sent `x`, and `id` is kept."""

    def __init__(self, rows: Sequence[str] = ROWS, objects: Mapping[str, bytes] | None = None, **world: Any) -> None:
        self.world = World(objects or {"s3://b/src/a.csv": table_of(rows)}, **world)
        self.world.batch = Echo(self.store, self.world.life, self.world.reason)
        self.world.batch.clock = lambda: self.world.now
        self.store.now = datetime.fromtimestamp(self.world.now + 1, timezone.utc)
        self.request = wire.copied(REQUEST)

    @property
    def store(self) -> InMemoryStore:
        return self.world.store

    def read_from(self, source: Any) -> None:
        wire.put(self.request, INPUT_PATH, source)

    def prepare(self, rows: Sequence[str] = ROWS) -> None:
        self.store.put(S3Uri("b", "src/a.csv"), table_of(rows))
        options = {"source": "s3://b/src/", "output": "s3://b/in/", "keep": ["id"], "shard_rows": 2}
        wire.put(self.request, INPUT_PATH, prepare(self.store, PrepareRequest.read(options)).to_dict())

    def transform(self, *, epoch: int = 0, **policy: Any) -> TransformResult:
        request, prepared = settled(self.request)
        mine = replace(assignment(request, epoch=epoch, **policy), prepared=prepared)
        started = start(self.world.services, mine)
        while (described := self.world.services.jobs.describe(started.job_name))["TransformJobStatus"] == "InProgress":
            self.world.sleep(1)
        ending = Ending(services=self.world.services, policy=Policy(**policy), prices=PriceTable(prices={}))
        return ending.concluded(described, started.on_record)

    def associate(self, result: TransformResult, output: str = "s3://b/scored/") -> dict[str, list[Any]]:
        associate(self.store, AssociateRequest.read({"result": result.to_dict(), "output": output}))
        parts = [pq.read_table(OpenObject(body)) for body in self.scored().values()]
        return {name: [value for part in parts for value in part[name].to_pylist()] for name in parts[0].column_names}

    def scored(self) -> dict[str, bytes]:
        return {str(one.uri): self.store.get(one.uri) for one in self.store.objects(S3Uri("b", "scored/part-"))}

    def put(self, uri: str, body: bytes) -> None:
        self.store.put(S3Uri.parse(uri), body)

    def change_record(self, result: TransformResult, change: Callable[[dict[str, Any]], Any]) -> None:
        uri = S3Uri.parse(result.record or "")
        value = json.loads(self.store.get(uri))
        change(value)
        self.store.put(uri, json.dumps(value).encode())


def table_of(rows: Sequence[str]) -> bytes:
    return "\n".join(["id,x", *rows, ""]).encode()


@pytest.fixture
def lake() -> Lake:
    lake = Lake()
    lake.prepare()
    return lake


TABLE = {"id": ["a", "b", "c", "d", "e"], "prediction": [1, 2, 3, 4, 5]}


# ------------------------------------------------------------------------------------------------- what is prepared


def test_every_row_stands_beside_the_output_on_record(lake: Lake) -> None:
    assert lake.associate(lake.transform()) == TABLE


def test_pairs_are_those_on_record_whatever_the_names_say(lake: Lake) -> None:
    result = lake.transform()

    def swap(record: dict[str, Any]) -> None:
        first, second = record["objects"][:2]
        for name in ("output", "state"):
            first[name], second[name] = second[name], first[name]

    lake.change_record(result, swap)

    assert lake.associate(result)["prediction"] == [3, 4, 1, 2, 5]


def test_a_prepare_task_that_wrote_the_same_again_makes_nothing_stale(lake: Lake) -> None:
    first = lake.transform()
    lake.associate(first)
    before = lake.scored()

    lake.prepare()
    again = lake.transform(epoch=RERUN)

    assert (again.job_name, again.reused, set(lake.world.batch.sent.values())) == (first.job_name, True, {1})
    for result in (first, again):
        lake.associate(result)
        assert lake.scored() == before


def test_a_shard_that_changed_makes_its_own_output_stale(lake: Lake) -> None:
    result = lake.transform()
    lake.prepare(["a,1", "b,2", "c,3", "d,40", "e,5"])

    with pytest.raises(StaleOutput) as caught:
        lake.associate(result)

    assert caught.value.uri == OUT[1]
    assert SHARDS[1] in str(caught.value)
    assert not [uri for uri in (*OUT[::2], *SHARDS[::2]) if uri in str(caught.value)]


def test_all_that_changed_are_named(lake: Lake) -> None:
    result = lake.transform()
    lake.prepare(["a,1", "b,20", "c,3", "d,4", "e,50"])

    with pytest.raises(StaleOutput) as caught:
        lake.associate(result)

    assert [uri in str(caught.value) for uri in OUT] == [True, False, True]


def test_one_changed_row_sends_one_shard_again(lake: Lake) -> None:
    lake.transform()
    lake.prepare(["a,1", "b,2", "c,3", "d,40", "e,5"])

    result = lake.transform(epoch=RERUN)

    assert lake.world.batch.sent == dict(zip(SHARDS, (1, 2, 1), strict=True))
    assert lake.associate(result) == TABLE | {"prediction": [1, 2, 3, 40, 5]}


def test_kept_columns_are_those_of_the_last_prepare_task(lake: Lake) -> None:
    result = lake.transform()
    lake.prepare(["A,1", "B,2", "C,3", "D,4", "E,5"])

    assert lake.associate(result) == TABLE | {"id": ["A", "B", "C", "D", "E"]}


def test_a_shard_that_no_job_read_has_no_output(lake: Lake) -> None:
    result = lake.transform()
    lake.prepare([*ROWS, "f,6", "g,7"])

    with pytest.raises(OutputMissing) as caught:
        lake.associate(result)

    assert caught.value.uri == "s3://b/in/shards/part-00003.csv"


def test_rows_that_prepare_left_out_since_are_not_lost_in_silence(lake: Lake) -> None:
    result = lake.transform()
    lake.prepare(ROWS[:4])

    with pytest.raises(AssociationError, match="written anew") as caught:
        lake.associate(result)

    assert SHARDS[2] in str(caught.value)


def test_outputs_of_several_attempts_make_one_table() -> None:
    lake = Lake(life=("InProgress", "Failed"))
    lake.prepare()
    lake.world.batch.poisoned = {SHARDS[1]}
    with pytest.raises(JobFailed):
        lake.transform()
    lake.world.batch.life, lake.world.batch.poisoned = ("InProgress", "Completed"), set()

    result = lake.transform()

    assert result.input.startswith(f"{result.control}manifest-")
    assert lake.world.batch.sent == dict(zip(SHARDS, (1, 2, 1), strict=True))
    assert lake.associate(result) == TABLE


def test_a_job_that_failed_with_every_output_there_is_a_table() -> None:
    lake = Lake(life=("InProgress", "Failed"))
    lake.prepare()
    with suppress(JobFailed):
        lake.transform()

    result = lake.transform()

    assert (result.status, result.objects_done) == ("Failed", 3)
    assert lake.associate(result) == TABLE


def test_a_stopped_job_that_was_accepted_is_none(lake: Lake) -> None:
    lake.world.batch.life = ("Stopped",)

    result = lake.transform(on_stopped=OnStopped.ACCEPT)

    with pytest.raises(OutputMissing) as caught:
        lake.associate(result)
    assert all(uri in str(caught.value) for uri in OUT)


def test_without_a_record_the_times_of_the_manifest_count(lake: Lake) -> None:
    result = lake.transform(verify=Verify.NONE)
    assert result.record is None
    assert lake.associate(result) == TABLE

    lake.prepare()
    with pytest.raises(StaleOutput):
        lake.associate(result)


# ----------------------------------------------------------------------------------------- what lies there by now


def again(lake: Lake) -> None:
    lake.put(OUT[1], lake.store.get(S3Uri.parse(OUT[1])))


@pytest.mark.parametrize(
    ("spoil", "error", "named"),
    [
        (lambda lake: lake.store.delete([S3Uri.parse(OUT[1])]), OutputMissing, SHARDS[1]),
        (lambda lake: lake.put(OUT[1], b"8\n9\n"), StaleOutput, OUT[1]),
        (again, StaleOutput, OUT[1]),
    ],
    ids=["gone", "other bytes", "other time"],
)
def test_outputs_must_look_as_on_record(
    lake: Lake, spoil: Callable[[Lake], None], error: type[AssociationError], named: str
) -> None:
    result = lake.transform()
    lake.associate(result)
    spoil(lake)
    before = lake.scored()

    with pytest.raises(error) as caught:
        lake.associate(result)

    assert caught.value.uri == named
    assert lake.scored() == before


@pytest.mark.parametrize(
    ("state", "error"),
    [(None, OutputMissing), ({"etag": '"other"'}, StaleOutput), ({"modified": ""}, StaleOutput)],
    ids=str,
)
def test_nothing_counts_as_an_output_but_what_is_on_record(
    lake: Lake, state: dict[str, str] | None, error: type[AssociationError]
) -> None:
    result = lake.transform()

    def change(record: dict[str, Any]) -> None:
        there = record["objects"][1]
        there["state"] = state and there["state"] | state

    lake.change_record(result, change)

    with pytest.raises(error):
        lake.associate(result)


def test_the_etags_of_shards_do_not_matter_where_sums_are_known(lake: Lake) -> None:
    result = lake.transform()

    # With SSE-KMS, and in parts of other sizes, the same bytes have another ETag each time.
    lake.change_record(result, lambda record: [one.update(etag='"other"') for one in record["objects"]])

    assert lake.associate(result) == TABLE


def test_a_record_that_is_none_is_refused(lake: Lake) -> None:
    result = lake.transform()
    lake.change_record(result, lambda record: record.pop("objects"))
    with pytest.raises(AssociationError) as caught:
        lake.associate(result)
    assert caught.value.uri == result.record

    lake.store.delete([S3Uri.parse(result.record or "")])
    with pytest.raises(ObjectNotFound):
        lake.associate(result)


# ------------------------------------------------------------------------------------------ input that was not prepared

FOUND = {
    "s3://b/raw/1/a.csv": b"1\n2\n",
    "s3://b/raw/1/_SUCCESS": b"x",
    "s3://b/raw/1/empty.csv": b"",
    "s3://b/raw/2/a.csv": b"3\n",
    "s3://b/raw/3/deep/b.csv": b"4\n",
}


@pytest.fixture
def raw() -> Lake:
    lake = Lake(objects=FOUND)
    lake.read_from(["s3://b/raw/1/", "s3://b/raw/3/deep/b.csv"])
    return lake


def test_only_what_the_job_read_is_a_row(raw: Lake) -> None:
    assert raw.associate(raw.transform()) == {
        "input_object": ["s3://b/raw/1/a.csv", "s3://b/raw/1/a.csv", "s3://b/raw/3/deep/b.csv"],
        "record": [1, 2, 1],
        "prediction": [1, 2, 4],
    }


def test_objects_that_came_since_change_nothing(raw: Lake) -> None:
    result = raw.transform()
    raw.put("s3://b/raw/1/late.csv", b"9\n")

    assert raw.associate(result)["prediction"] == [1, 2, 4]


def test_an_input_that_is_written_again_with_the_same_bytes_is_the_same(raw: Lake) -> None:
    result = raw.transform()
    raw.put("s3://b/raw/1/a.csv", FOUND["s3://b/raw/1/a.csv"])

    assert raw.associate(result)["prediction"] == [1, 2, 4]


@pytest.mark.parametrize("body", [b"1\n3\n", None], ids=["changed", "gone"])
def test_an_input_that_is_not_what_was_read_makes_its_output_stale(raw: Lake, body: bytes | None) -> None:
    result = raw.transform()
    if body is None:
        raw.store.delete([S3Uri("b", "raw/1/a.csv")])
    else:
        raw.put("s3://b/raw/1/a.csv", body)

    with pytest.raises(StaleOutput) as caught:
        raw.associate(result)

    assert caught.value.uri == "s3://b/out/1/a.csv.out"
    assert "s3://b/raw/1/a.csv" in str(caught.value)


# ---------------------------------------------------------------------------------------------- places that overlap


@pytest.mark.parametrize(
    "output", ["s3://b/", "s3://b/raw/", "s3://b/raw/1/", "s3://b/raw/1/scored/", "s3://b/_batchtx/", "s3://b/out/x/"]
)
def test_a_table_around_or_in_what_the_job_read_or_put_on_record_is_refused(raw: Lake, output: str) -> None:
    result = raw.transform()
    before = dict(raw.store.bodies)

    with pytest.raises(InvalidInput, match="would write the table"):
        raw.associate(result, output)

    assert raw.store.bodies == before


def test_a_table_in_the_attempts_own_folder_is_refused(lake: Lake) -> None:
    result = lake.transform()

    with pytest.raises(InvalidInput, match="into the job's own"):
        lake.associate(result, f"{result.control}table/")


def test_objects_at_the_top_of_a_bucket_do_not_take_all_of_it() -> None:
    lake = Lake(objects={"s3://b/a.csv": b"1\n", "s3://b/b.csv": b"2\n"})
    lake.read_from(["s3://b/a.csv", "s3://b/b.csv"])

    assert lake.associate(lake.transform())["prediction"] == [1, 2]
