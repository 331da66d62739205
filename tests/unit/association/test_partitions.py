from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.partitions import PartitionedWriter
from airflow_batchtx.association.table import Layout
from airflow_batchtx.errors import InvalidInput
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import StoredObject
from tests.fakes import InMemoryStore
from tests.scored import Scored

DAYS = pa.table(
    {
        "id": [1, 2, 3, 4],
        "day": pa.array([date(2026, 1, 1), date(2026, 1, 2), None, date(2026, 1, 1)]),
        "region": ["eu/west", "a=b c", "ü%", None],
    }
)


def scored(**options: Any) -> Scored:
    return Scored([b"x\n" * 4, b"x\n" * 4], [b"1\n2\n3\n4\n", b"5\n6\n7\n8\n"], [DAYS, DAYS], **options)


def test_rows_lie_in_folders_named_by_their_values() -> None:
    job = scored()

    output = job.associate(partition_by=["day", "region"], format="csv")

    parts = {name: body for name, body in job.bodies().items() if "part-" in name}
    assert parts == {
        "day=2026-01-01/region=__HIVE_DEFAULT_PARTITION__/part-00000.csv": b"id,prediction\n4,4\n",
        "day=2026-01-01/region=__HIVE_DEFAULT_PARTITION__/part-00001.csv": b"id,prediction\n4,8\n",
        "day=2026-01-01/region=eu%2Fwest/part-00000.csv": b"id,prediction\n1,1\n",
        "day=2026-01-01/region=eu%2Fwest/part-00001.csv": b"id,prediction\n1,5\n",
        "day=2026-01-02/region=a%3Db%20c/part-00000.csv": b"id,prediction\n2,2\n",
        "day=2026-01-02/region=a%3Db%20c/part-00001.csv": b"id,prediction\n2,6\n",
        "day=__HIVE_DEFAULT_PARTITION__/region=%C3%BC%25/part-00000.csv": b"id,prediction\n3,3\n",
        "day=__HIVE_DEFAULT_PARTITION__/region=%C3%BC%25/part-00001.csv": b"id,prediction\n3,7\n",
    }
    manifest = job.manifest()
    assert (manifest.partition_by, manifest.rows, len(manifest.parts)) == (("day", "region"), 8, 8)
    assert (output.rows, output.parts, output.columns) == (8, 8, ("id", "day", "region", "prediction"))


def test_other_readers_find_the_values_again(tmp_path: Any) -> None:
    job = scored()
    job.associate(partition_by=["day", "region"])
    for name, body in job.bodies().items():
        if name.endswith(".parquet"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(body)

    kinds = pa.schema([("day", pa.date32()), ("region", pa.string())])
    found = ds.dataset(tmp_path, partitioning=ds.partitioning(kinds, flavor="hive")).to_table().sort_by("prediction")

    assert found.select(DAYS.schema.names).equals(pa.concat_tables([DAYS, DAYS]))
    assert found["prediction"].to_pylist() == list(range(1, 9))


def test_a_prediction_may_name_the_folders_too() -> None:
    job = scored()
    job.associate(partition_by="prediction", predictions={"prediction": "string"})

    assert [name for name in job.bodies() if "part-" in name][:2] == [
        "prediction=1/part-00000.parquet",
        "prediction=2/part-00000.parquet",
    ]


@pytest.mark.parametrize("held", [1, 10**9])
def test_rows_keep_their_order_whatever_is_held(held: int) -> None:
    store = InMemoryStore(buckets=["b"])
    pair = Pair(S3Uri("b", "in"), StoredObject(S3Uri("b", "out"), 1, ""))
    table = pa.table({"id": range(1000), "kind": pa.array([f"k{at % 3}" for at in range(1000)]).dictionary_encode()})
    layout = Layout(store, S3Uri("b", "scored/"), "part-00000", "csv", pair)
    with PartitionedWriter(layout, table.schema, ["kind"], held=held) as writer:
        for batch in table.to_batches(max_chunksize=17):
            writer.write(batch)

    assert [part.rows for part in writer.parts] == [334, 333, 333]
    for part in writer.parts:
        at = int(part.uri.partition("kind=k")[2][0])
        lines = store.get(S3Uri.parse(part.uri)).split()
        assert lines == [b"id", *(b"%d" % number for number in range(at, 1000, 3))]


def test_a_wider_type_leaves_no_folder_behind() -> None:
    job = Scored([b"x\n", b"x\n"], [b"1\n", b"0.5\n"], [pa.table({"id": [1]}), pa.table({"id": [2]})])
    job.associate(partition_by=["prediction"])

    assert sorted(name for name in job.bodies() if "part-" in name) == [
        "prediction=0.5/part-00001.parquet",
        "prediction=1/part-00000.parquet",
    ]


def test_parts_of_an_earlier_run_go_whatever_they_were_parted_by() -> None:
    job = scored()
    job.associate(partition_by=["region"])
    job.associate(partition_by=["day"])
    assert not [name for name in job.bodies() if name.startswith("region=")]
    job.associate()

    assert sorted(job.bodies()) == ["_SUCCESS", "_manifest.json", "part-00000.parquet", "part-00001.parquet"]


class Dies(InMemoryStore):
    """A store whose process is killed where it would clear up partitions."""

    alive = False

    def delete(self, uris: Iterable[S3Uri]) -> None:
        gone = list(uris)
        if not self.alive and any("day=" in uri.key for uri in gone):
            raise KeyboardInterrupt
        super().delete(gone)


def test_parts_of_a_run_that_died_are_known_for_ours() -> None:
    store = Dies(buckets=["b"])
    job = scored(store=store)
    job.store.put(job.target(1), b"5\n6\n")
    with pytest.raises(KeyboardInterrupt):
        job.associate(partition_by=["day"])
    assert len(job.bodies("day=")) == 3
    store.alive = True
    job.store.put(job.target(1), b"5\n6\n7\n8\n")
    job.associate()

    assert sorted(job.bodies()) == ["_SUCCESS", "_manifest.json", "part-00000.parquet", "part-00001.parquet"]


def test_what_others_put_in_such_folders_is_refused_and_stays() -> None:
    job = scored()
    theirs = S3Uri("b", "scored/day=2026-01-01/part-00000.parquet")
    job.associate()
    job.store.put(theirs, b"theirs")
    for options in ({"partition_by": ["day"]}, {"partition_by": ["region"]}, {}):
        with pytest.raises(InvalidInput, match="no associate task wrote it for this table"):
            job.associate(**options)

    assert job.store.get(theirs) == b"theirs"


@pytest.mark.parametrize("names", [["nothing"], ["id", "day", "region", "prediction"], ["nested"]])
def test_columns_that_cannot_part_a_table_are_refused(names: list[str]) -> None:
    table = DAYS.append_column("nested", pa.array([[1]] * 4)) if "nested" in names else DAYS
    job = Scored([b"x\n" * 4], [b"1\n2\n3\n4\n"], [table])

    with pytest.raises(InvalidInput, match="partition_by"):
        job.associate(partition_by=names)
    assert job.bodies() == {}


def test_the_column_is_not_in_the_parts() -> None:
    job = scored()
    job.associate(partition_by=["day"])

    [body] = job.bodies("day=2026-01-02/part-00001").values()
    assert pq.read_schema(io.BytesIO(body)).names == ["id", "region", "prediction"]
