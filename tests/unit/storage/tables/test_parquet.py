from __future__ import annotations

import io
import random
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batchtx.errors import MalformedRecord
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.tables import parquet
from airflow_batchtx.storage.tables.parquet import ParquetSink, opened, schema_of
from airflow_batchtx.storage.tables.streams import DigestWriter
from tests.fakes import InMemoryStore
from tests.tables import corrupt_parquet

URI = S3Uri("b", "k")


def body(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


TABLE = pa.table({"a": range(1_000), "b": [f"text {number}" for number in range(1_000)], "c": [[1]] * 1_000})


def test_the_schema_is_read_from_the_footer() -> None:
    store = InMemoryStore({str(URI): body(TABLE)})

    assert schema_of(store, store.stat(URI)).equals(TABLE.schema)


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"PAR1", b"PAR1" * 5])
def test_what_is_no_parquet_is_refused(content: bytes) -> None:
    store = InMemoryStore({str(URI): content})

    with pytest.raises(MalformedRecord):
        schema_of(store, store.stat(URI))


def test_columns_come_in_the_order_asked_for() -> None:
    store = InMemoryStore({str(URI): body(TABLE, row_group_size=300)})

    with opened(store, URI) as table:
        assert table.rows == 1_000
        assert pa.Table.from_batches(list(table.batches(["b", "a"]))).equals(TABLE.select(["b", "a"]))


def test_a_batch_of_wide_rows_has_few_of_them() -> None:
    wide = pa.table({"a": [f"{number}" * 100_000 for number in range(100, 140)]})
    store = InMemoryStore({str(URI): body(wide, use_dictionary=False, compression="none")})

    with opened(store, URI) as table:
        found = list(table.batches(["a"]))

    assert max(batch.nbytes for batch in found) <= 2 * parquet.BATCH


def test_what_was_written_is_read_and_summed() -> None:
    target = io.BytesIO()
    digest = DigestWriter(target)
    sink = ParquetSink(digest, TABLE.schema)
    for batch in TABLE.to_batches(max_chunksize=70):
        sink.write(batch)
    sink.close()

    assert pq.read_table(io.BytesIO(target.getvalue())).equals(TABLE)
    assert digest.size == len(target.getvalue())


def test_fractions_that_cannot_be_compressed_are_not() -> None:
    chance = random.Random(1)
    columns = {
        "random": pa.array([chance.random() for _ in range(5_000)]),
        "few": pa.array([number % 10 / 10 for number in range(5_000)]),
        "holes": pa.array([chance.random() if number % 2 else None for number in range(5_000)]),
        "half": pa.array([chance.random() for _ in range(5_000)], pa.float16()),
        "none": pa.array([None] * 4_990 + [0.5] * 10, pa.float64()),
        "nulls": pa.nulls(5_000, pa.float64()),
        "text": pa.array([f"{number}" for number in range(5_000)]),
        "list": pa.array([[0.5, 0.5]] * 5_000),
        "struct": pa.array([{"a": 1, "b": "b"}] * 5_000),
        "map": pa.array([[("a", 1)]] * 5_000, pa.map_(pa.string(), pa.int64())),
        "tensor": pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.int8(), [2]), pa.array([[1, 2]] * 5_000, pa.list_(pa.int8(), 2))
        ),
    }
    table, target = pa.table(columns), io.BytesIO()
    with closing(ParquetSink(DigestWriter(target), table.schema)) as sink:
        # The first rows of a table may come as a slice.
        sink.write(table.slice(4_000).combine_chunks().to_batches()[0])
        sink.write(table.slice(0, 4_000).to_batches()[0])

    file = pq.ParquetFile(io.BytesIO(target.getvalue()))
    group = file.metadata.row_group(0)
    found = [group.column(at) for at in range(group.num_columns)]
    dense = {one.path_in_schema for one in found if one.compression == "UNCOMPRESSED"}
    assert dense == {"random", "holes", "half"}
    assert {one.compression for one in found if one.path_in_schema not in dense} == {"SNAPPY"}
    assert file.read().equals(pa.concat_tables([table.slice(4_000), table.slice(0, 4_000)]))


def test_of_a_short_table_everything_is_compressed() -> None:
    chance, target = random.Random(1), io.BytesIO()
    [batch] = pa.table({"a": [chance.random() for _ in range(5_000)]}).to_batches()
    with closing(ParquetSink(DigestWriter(target), batch.schema)) as sink:
        sink.write(batch)

    assert pq.ParquetFile(io.BytesIO(target.getvalue())).metadata.row_group(0).column(0).compression == "SNAPPY"


def test_an_empty_table_has_a_schema() -> None:
    schema, target = TABLE.schema.append(pa.field("d", pa.float64())), io.BytesIO()
    ParquetSink(DigestWriter(target), schema).close()

    assert pq.read_table(io.BytesIO(target.getvalue())).schema.equals(schema)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("room", [0, 1], ids=["first", "later"])
@pytest.mark.parametrize("wrong", [LookupError("full"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_an_error_of_the_target_is_the_one_that_is_raised(wrong: BaseException, room: int) -> None:
    class Full(io.BytesIO):
        # After an error each write is another one.
        coming = iter([wrong])

        def write(self, data: Any, /) -> int:
            if self.tell() >= room:
                raise next(self.coming)
            return super().write(data)

    [batch] = pa.table({"a": range(parquet.ROW_GROUP // 8)}).to_batches()
    with pytest.raises(type(wrong)), closing(ParquetSink(DigestWriter(Full()), batch.schema)) as sink:
        sink.write(batch)


def test_a_page_that_does_not_decompress_is_told_of() -> None:
    table = pa.table({"a": [f"{number}" * 9 for number in range(999)]})
    store = InMemoryStore({str(URI): corrupt_parquet(table)})

    with pytest.raises(MalformedRecord, match="damaged behind row 0"), opened(store, URI) as found:
        list(found.batches(["a"]))
