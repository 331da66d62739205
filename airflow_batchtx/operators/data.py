"""Tasks that make a model's input out of tables, and a table out of its output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batchtx.association import request as association
from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.preparation import request as preparation

if TYPE_CHECKING:
    from airflow.sdk import Context


def _kept_as(option: str) -> str:
    """Name the attribute of an option: as the argument, since Airflow finds a mapped task's upstream tasks by it.

    But for `output`, which every operator has already: the reference to its result.
    """
    return "output_prefix" if option == "output" else option


class DataOperator(ConnectedOperator):
    """A task over tables in S3, whose options are all templates."""

    def _keep(self, options: Mapping[str, Any]) -> None:
        for name, value in options.items():
            setattr(self, _kept_as(name), value)

    def _kept(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: getattr(self, _kept_as(name)) for name in names}


class PrepareInputOperator(DataOperator):
    """Write headerless shards with the columns that a model needs, and keep the others aside.

    Returns what a TransformJob takes as its `input`. Every option may be a template or another task's output; what is
    known when the DAG is parsed is checked then.

    :param source: S3 folders (with a slash at the end) and objects, CSV with a header or Parquet, one or a list.
    :param output: the S3 prefix to write to; it belongs to this task. A rerun replaces what an earlier run wrote.
    :param columns: what the model is sent, in this order; None for all columns that are not kept.
    :param keep: columns that will stand beside the predictions.
    :param types: Arrow types of kept columns, such as `{"id": "int64"}`; CSV is kept as text without them.
    :param format: "csv" or "parquet" where the names of objects do not tell.
    :param shard_bytes: the most bytes of a shard.
    :param shard_rows: the most rows of a shard.
    :param min_shards: at least so many shards, rows permitting; AWS deals whole objects to instances, so give the job's
        instance count.
    """

    template_fields = (*ConnectedOperator.template_fields, *map(_kept_as, preparation.OPTIONS))
    template_fields_renderers: ClassVar[dict[str, str]] = {"types": "json"}
    ui_color = "#e8f4e5"

    def __init__(  # noqa: PLR0913 - a task's options, by name only
        self,
        *,
        source: Any,
        output: Any,
        columns: Any = None,
        keep: Any = (),
        types: Mapping[str, Any] | None = None,
        format: Any = None,  # noqa: A002 - the word that every reader of tables uses
        shard_bytes: Any = preparation.SHARD_BYTES,
        shard_rows: Any = None,
        min_shards: Any = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        options = {
            "source": source,
            "output": output,
            "columns": columns,
            "keep": keep,
            "types": {} if types is None else types,
            "format": format,
            "shard_bytes": shard_bytes,
            "shard_rows": shard_rows,
            "min_shards": min_shards,
        }
        self._keep(options)
        preparation.check(options)

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Write the shards, and return a PreparedInput as a dictionary."""
        # A DAG is parsed without any data library.
        from airflow_batchtx.preparation.prepare import prepare

        request = preparation.PrepareRequest.read(self._kept(preparation.OPTIONS))
        return prepare(self.store, request).to_dict()


class AssociateOutputOperator(DataOperator):
    """Write one table of kept columns and predictions, proved row by row to belong together.

    Returns where the table and its manifest lie, its rows and its columns. Every option may be a template or another
    task's output; what is known when the DAG is parsed is checked then.

    :param result: what the transform task returned: `run.output`.
    :param output: the S3 prefix of the table; a rerun replaces the parts that an earlier run wrote there. Parts that no
        associate task wrote are never replaced: they are refused, and so is a prefix that overlaps the data it joins.
    :param format: "parquet" or "csv".
    :param predictions: names of the model's columns, or a mapping of names to types ("int64", "double", "string");
        None for `prediction`, or `prediction_0` and so on, in the narrowest types that hold them.
    """

    template_fields = (*ConnectedOperator.template_fields, *map(_kept_as, association.OPTIONS))
    template_fields_renderers: ClassVar[dict[str, str]] = {"result": "json", "predictions": "json"}
    ui_color = "#e5eef4"

    def __init__(
        self,
        *,
        result: Any,
        output: Any,
        format: Any = "parquet",  # noqa: A002
        predictions: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        options = {"result": result, "output": output, "format": format, "predictions": predictions}
        self._keep(options)
        association.check(options)

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Write the table, and return an AssociatedOutput as a dictionary."""
        # A DAG is parsed without any data library.
        from airflow_batchtx.association.associate import associate

        request = association.AssociateRequest.read(self._kept(association.OPTIONS))
        return associate(self.store, request).to_dict()
