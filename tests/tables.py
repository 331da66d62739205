"""Tables in bytes, for tests to store."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq


def corrupt_parquet(table: pa.Table) -> bytes:
    """Write a table of one column whose footer is whole and whose page does not decompress."""
    file = io.BytesIO()
    pq.write_table(table, file, compression="snappy", use_dictionary=False)
    chunk = pq.read_metadata(file).row_group(0).column(0)
    body = bytearray(file.getvalue())
    # The page's header, which is read before its contents, is shorter than this.
    begin, end = chunk.data_page_offset + 60, chunk.data_page_offset + chunk.total_compressed_size
    body[begin:end] = b"\xff" * (end - begin)
    return bytes(body)
