"""What the help of `prepare`, `associate` and `plan` says of each option: in its units, with an example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from airflow_batchtx.cli.optioned import Words


def job(help: str) -> Any:  # noqa: A002 - typer's word
    """Make an option of a member of the job that is to be."""
    return typer.Option(help=help, rich_help_panel="The job", show_default=False)


_COLUMNS = "NAME[,NAME]"
_S3_URI, _S3_PREFIX, _COUNT = "S3_URI", "S3_PREFIX", "COUNT"
_PATTERN = "PATTERN"
PREPARING: Mapping[str, Words] = {
    "source": Words(
        help="S3 folders (with a slash at the end) and objects: `s3://lake/day=2026-11-30/`. In folders, names that"
        " begin with _ or . are left out.",
        metavar=_S3_URI,
    ),
    "output": Words(help="S3 prefix that belongs to this work alone: `s3://staging/churn/in/`.", metavar=_S3_PREFIX),
    "columns": Words(
        help="What the model is sent, in this order: `tenure,charges`; all columns that are not kept if left out.",
        metavar=_COLUMNS,
    ),
    "keep": Words(
        help="What will stand beside the predictions: `customer_id`. A column may be both.", metavar=_COLUMNS
    ),
    "rename": Words(
        help="Another name for a column: `'Customer ID=id'`, which all other options know it by. Once for each.",
        metavar="OLD=NEW",
    ),
    "types": Words(
        help="Arrow type of a column: `id=int64`, `price=decimal128(10, 2)`, `at=timestamp[us, tz=UTC]`. Once for each"
        " column.",
        metavar="COLUMN=TYPE",
    ),
    "fill": Words(help="What stands in the place of nulls: `age=0`. Once for each column.", metavar="COLUMN=VALUE"),
    "required": Words(help="Columns that may have no nulls: `customer_id`.", metavar=_COLUMNS),
    "max_quarantined": Words(
        help="How many rows that cannot be prepared are set aside, with the reason, below `quarantine/`, before that is"
        " an error: `100`, or a part of all: `0.1%`. If left out the first of them ends it.",
        metavar="ROWS|PERCENT",
    ),
    "format": Words(
        help="Format of the source, where the names of its objects do not tell: `csv`, `parquet` or `jsonlines`."
    ),
    "compression": Words(help="Compression of the source, where names do not tell: `gzip`, `zstd` or `none`."),
    "delimiter": Words(
        help="What stands between cells of CSV: `;`, or `tab`; a comma if left out.", metavar="CHARACTER"
    ),
    "quote": Words(help="What stands around cells that hold a delimiter; `none` for nothing.", metavar="CHARACTER"),
    "header": Words(help="Whether the first record of each CSV object names the columns; it does if left out."),
    "names": Words(help="Names of all columns, where there is no header: `id,tenure,charges`.", metavar=_COLUMNS),
    "content_type": Words(
        help="What the model is sent: `text/csv` or `application/jsonlines`, a line a row. With any other type, such as"
        " `image/png`, the objects of the source are sent whole, as they lie there.",
        metavar="TYPE",
    ),
    "record": Words(
        help='How a row looks in JSON Lines: `object` (`{"age": 3}`), `array` (`[3]`) or `features`'
        ' (`{"features": [3]}`).'
    ),
    "include": Words(
        help="Of whole objects those that match: `*.png`, below the folder of all of them.", metavar=_PATTERN
    ),
    "exclude": Words(help="Of whole objects none that match: `*/tmp/*`.", metavar=_PATTERN),
    "keep_from": Words(
        help="A table with a column `object` (S3 URIs, or paths), whose other columns are kept for whole objects.",
        metavar=_S3_URI,
    ),
    "shard_bytes": Words(help="The most bytes of a shard: `32MiB`; planned if left out.", metavar="BYTES"),
    "shard_rows": Words(help="The most rows of a shard: `10000`.", metavar="ROWS"),
    "min_shards": Words(help="At least so many shards, rows permitting: `8`.", metavar=_COUNT),
    "instance_count": Words(
        help="The job's instance count: at least so many shards, since AWS deals whole objects.", metavar=_COUNT
    ),
    "max_payload_in_mb": Words(help="The job's largest request, in MB, which shards should fill.", metavar="MB"),
    "max_concurrent_transforms": Words(help="The job's requests at once on an instance.", metavar=_COUNT),
}
ASSOCIATING: Mapping[str, Words] = {
    "job_name": Words(help="A job that has ended, in the place of its result: `churn-034b1cd3160c`.", metavar="NAME"),
    "input": Words(help="Where no job is known: the prefix of what the model was sent.", metavar=_S3_PREFIX),
    "answers": Words(help="And that of its outputs, each named as its input with .out behind.", metavar=_S3_PREFIX),
    "output": Words(help="S3 prefix of the table, which belongs to it alone: `s3://lake/scored/`.", metavar=_S3_PREFIX),
    "format": Words(help="Format of the table: `parquet`, which keeps types, `csv` or `jsonlines`."),
    "predictions": Words(
        help="A column that the model gives, and its type: `score=double`, or `score` alone for the narrowest type that"
        " holds all. Once for each, in their order in CSV, by their names in JSON.",
        metavar="NAME[=TYPE]",
    ),
    "answer": Words(
        help="Which part of JSON answers a record: `document`, `array` (an element of one), or the path of a member"
        " that holds such an array: `predictions`. Found by counting if left out, or refused if several would do.",
        metavar="document|array|PATH",
    ),
    "input_columns": Words(
        help="Of input that was not prepared: names of its CSV cells, or members of its JSON Lines, to stand beside the"
        " predictions: `id,age`.",
        metavar=_COLUMNS,
    ),
    "key": Words(
        help="A column of the rows that the answers have too: each row gets the answer with its key: `id`.",
        metavar="NAME",
    ),
    "content_type": Words(help="What the model was sent, where no job tells it: `text/csv`.", metavar="TYPE"),
    "split_type": Words(help="How objects were cut into records, where no job tells it: `Line`, `None`."),
    "accept": Words(help="What the model answered in, where no job tells it: `application/json`.", metavar="TYPE"),
    "partition_by": Words(
        help="Columns that become folders, `day=2026-11-30/`, and are left out of the files: `day`.", metavar=_COLUMNS
    ),
    "table_per": Words(
        help="Folders of the inputs' paths, `day` of `day=2026-11-30/`, each of which has a table of its own below a"
        " folder of the same name; those of other days stay.",
        metavar=_COLUMNS,
    ),
    "error_member": Words(
        help="A JSON member, or a named CSV column, which marks an answer as a refusal: such rows go to"
        " `_dead_letters/`.",
        metavar="NAME",
    ),
    "on_missing": Words(help="If an object has no output: `fail`, or `dead_letter` for all its rows."),
    "max_dead": Words(help="How many dead rows are no error: `100`, or a part of all: `0.1%`.", metavar="ROWS|PERCENT"),
    "processes": Words(help="Processes that share the work: `2`. The bytes are the same.", metavar=_COUNT),
    "share": Words(help="Only every n-th object, beginning with the k-th: `2/8`, for eight machines.", metavar="K/N"),
}
