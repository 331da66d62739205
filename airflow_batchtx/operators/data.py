"""Tasks that make a model's input out of tables, and a table out of its output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_batchtx.association import request as association
from airflow_batchtx.control.services import Services
from airflow_batchtx.control.standing import standing
from airflow_batchtx.errors import TooManyDeadLetters
from airflow_batchtx.hooks.connected import ConnectedOperator
from airflow_batchtx.hooks.controlled import configured_control
from airflow_batchtx.hooks.metrics import publish_metrics
from airflow_batchtx.hooks.removed import forget_removed
from airflow_batchtx.hooks.retrying import DATA_RETRY_POLICY
from airflow_batchtx.hooks.services import services
from airflow_batchtx.hooks.storage import StorageHook
from airflow_batchtx.preparation import request as preparation
from airflow_batchtx.spec.measures import model_of, of_dead_letters, of_table
from airflow_batchtx.spec.prices import PriceTable
from airflow_batchtx.spec.share import Share

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryPolicy
    from airflow.sdk.definitions.mappedoperator import OperatorPartial


# Stands for an option of which each instance of a mapped task has its own.
_LATER = "{{ later }}"


def shares(count: int) -> list[str]:
    """Name the shares in which so many tasks write one table: `.expand(share=shares(8))`."""
    return [str(one) for one in Share(1, count).all()]


def _kept_as(option: str) -> str:
    """Name the attribute of an option: as the argument, since Airflow finds a mapped task's upstream tasks by it.

    But for `output`, which every operator has already: the reference to its result.
    """
    return "output_prefix" if option == "output" else option


class DataOperator(ConnectedOperator):
    """A task over tables in S3, whose options are all templates.

    Each instance of a mapped task writes below `map-00000/` and so on, unless its output is its own: mapped as well, or
    a template of `ti.map_index`. By default its `retry_policy` tries options that are wrong (InvalidInput) only once.
    """

    # Named here, so that `default_args` and mapped tasks find it.
    def __init__(self, *, retry_policy: RetryPolicy | None = DATA_RETRY_POLICY, **kwargs: Any) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)

    def _keep(self, options: Mapping[str, Any]) -> None:
        for name, value in options.items():
            setattr(self, _kept_as(name), value)
        # Whether the template tells the instances of a mapped task apart by itself.
        self._apart = "map_index" in str(options["output"])

    def _kept(self, names: Iterable[str], context: Mapping[str, Any]) -> dict[str, Any]:
        """Give the options, rendered; each instance of a mapped task has an output of its own."""
        known = {name: getattr(self, _kept_as(name)) for name in names}
        index = getattr(context.get("ti"), "map_index", -1)
        if index is not None and index >= 0 and not (self._apart or self._has_own("output")):
            known["output"] = f"{str(known['output']).rstrip('/')}/map-{index:05d}/"
        return known

    def _has_own(self, option: str) -> bool:
        """Tell whether each instance of this task was given an option of its own, by `expand_kwargs` or `expand`."""
        dag = self.get_dag()
        defined = dag.task_dict.get(self.task_id) if dag else None
        return isinstance(defined, MappedOperator) and option not in defined.partial_kwargs


class PrepareInputOperator(DataOperator):
    """Write headerless shards with the columns that a model needs, and keep the others aside.

    Returns what a TransformJob takes as its `input`. Every option may be a template or another task's output; what is
    known when the DAG is parsed is checked then. Of a mapped task the job takes what all instances return, but not what
    those returned that a later expansion has removed: `TransformJob(input=prepare.output)`.

    :param source: S3 folders (with a slash at the end) and objects, CSV, Parquet or JSON Lines, one or a list.
    :param sql: a query whose rows are prepared instead, or the name of a `.sql` file beside the DAG. Order its rows, if
        a rerun is to write the same bytes.
    :param sql_conn_id: the Airflow connection that the query runs over, to any database that has a hook.
    :param output: the S3 prefix to write to; it belongs to this task. A rerun replaces what an earlier run wrote.
    :param columns: what the model is sent, in this order; None for all columns that are not kept.
    :param keep: columns that will stand beside the predictions.
    :param rename: new names of columns by old ones; all other options know the new names.
    :param types: Arrow types of columns, such as `{"id": "int64"}`; without them CSV is text, as it was written.
    :param fill: what stands in the place of nulls, by column, such as `{"age": 0}`.
    :param required: columns that must have no nulls.
    :param max_quarantined: how many rows that cannot be prepared are set aside below `quarantine/` before that fails
        the task: a number, or a part of all rows such as "0.1%". None by default.
    :param format: "csv", "parquet" or "jsonlines" where the names of objects do not tell.
    :param compression: "gzip", "zstd" or "none" where they do not tell.
    :param delimiter: what stands between cells of CSV, where that is no comma (or a tab in a `.tsv`).
    :param quote: what stands around cells of CSV, or "none".
    :param header: False if CSV objects begin with a row; give `names` then.
    :param names: the names of all columns of CSV without a header.
    :param content_type: "text/csv" or "application/jsonlines", which rows are written in; with any other type, such as
        "image/png", the objects of the source are sent whole, and only listed.
    :param record: how a row looks in JSON Lines: "object", "array" or "features".
    :param include: patterns of the paths of whole objects, in which `*` stands for any text; only those are sent.
    :param exclude: patterns of those that are not. Names beginning with `_` or `.` never are.
    :param keep_from: a table whose column `object` names every whole object by its URI, or by its path below the
        source; its other columns are kept.
    :param shard_bytes: the most bytes of a shard; planned where it is left out, by what is known of the job.
    :param shard_rows: the most rows of a shard.
    :param min_shards: at least so many shards, rows permitting.
    :param instance_count: the job's: there are at least so many shards, since AWS deals whole objects to instances.
    :param max_payload_in_mb: the job's, for shards that fill requests.
    :param max_concurrent_transforms: the job's, for shards that keep all requests busy.
    """

    template_fields = (*ConnectedOperator.template_fields, *map(_kept_as, preparation.OPTIONS))
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "types": "json", "rename": "json", "fill": "json", "sql": "sql",
    }  # fmt: skip
    template_ext = (".sql",)
    ui_color = "#e8f4e5"

    def __init__(  # noqa: PLR0913 - a task's options, by name only
        self,
        *,
        source: Any = None,
        output: Any,
        sql: Any = None,
        sql_conn_id: Any = None,
        columns: Any = None,
        keep: Any = (),
        rename: Mapping[str, Any] | None = None,
        types: Mapping[str, Any] | None = None,
        fill: Mapping[str, Any] | None = None,
        required: Any = (),
        max_quarantined: Any = 0,
        format: Any = None,  # noqa: A002 - the word that every reader of tables uses
        compression: Any = None,
        delimiter: Any = None,
        quote: Any = '"',
        header: Any = True,
        names: Any = None,
        content_type: Any = preparation.CSV,
        record: Any = "object",
        include: Any = (),
        exclude: Any = (),
        keep_from: Any = None,
        shard_bytes: Any = None,
        shard_rows: Any = None,
        min_shards: Any = 1,
        instance_count: Any = None,
        max_payload_in_mb: Any = None,
        max_concurrent_transforms: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        options = {
            "source": source,
            "output": output,
            "columns": columns,
            "keep": keep,
            "sql": sql,
            "sql_conn_id": sql_conn_id,
            "rename": {} if rename is None else rename,
            "types": {} if types is None else types,
            "fill": {} if fill is None else fill,
            "required": required,
            "max_quarantined": max_quarantined,
            "format": format,
            "compression": compression,
            "delimiter": delimiter,
            "quote": quote,
            "header": header,
            "names": names,
            "content_type": content_type,
            "record": record,
            "include": include,
            "exclude": exclude,
            "keep_from": keep_from,
            "shard_bytes": shard_bytes,
            "shard_rows": shard_rows,
            "min_shards": min_shards,
            "instance_count": instance_count,
            "max_payload_in_mb": max_payload_in_mb,
            "max_concurrent_transforms": max_concurrent_transforms,
        }
        self._keep(options)
        preparation.check(options)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Check what all instances of a mapped task have alike, when the DAG is parsed."""
        given = {name: value for name, value in kwargs.items() if value is not None}
        preparation.check({name: given.get(name, _LATER) for name in preparation.OPTIONS})
        return super().partial(**kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the shards, and return a PreparedInput as a dictionary."""
        # A DAG is parsed without any data library.
        from airflow_batchtx.hooks.queries import query_over
        from airflow_batchtx.preparation.prepare import prepare

        request = preparation.PrepareRequest.read(self._kept(preparation.OPTIONS, context))
        if (ti := context.get("ti")) is not None:
            forget_removed(ti)
        if request.sql is None or request.sql_conn_id is None:
            return prepare(self.store, request).to_dict()
        with query_over(request.sql_conn_id, request.sql) as query:
            return prepare(self.store, request, query=query).to_dict()


class AssociateOutputOperator(DataOperator):
    """Write one table of kept columns and predictions, proved row by row to belong together.

    Returns where the table and its manifest lie, its rows and its columns. Every option may be a template or another
    task's output; what is known when the DAG is parsed is checked then.

    Which answers are meant is said in one of three ways: by `result`, by `job_name`, or by `input` and `answers`.

    :param result: what the transform task returned: `run.output`.
    :param job_name: a job that has ended, whoever made it; what is on record of it is found in its control folder, by
        `[batchtx] control_prefix`. Without a record its outputs are told by name and time.
    :param input: the S3 prefix of what a model was sent, where there is no job that could be asked.
    :param answers: the S3 prefix of its outputs, which end in `.out`; none may be older than its input.
    :param output: the S3 prefix of the table; a rerun replaces the parts that an earlier run wrote there. Parts that no
        associate task wrote are never replaced: they are refused, and so is a prefix that overlaps the data it joins.
    :param format: "parquet", "csv" or "jsonlines".
    :param predictions: names of the model's columns, or a mapping of names to types ("int64", "double", "bool",
        "string", "json" for JSON text, and others of Arrow); None for the members of JSON objects, for `prediction`, or
        `prediction_0` and so on, in the narrowest types that hold them.
    :param answer: which part of JSON answers a record: "document", "array", or the path of the member that holds a list
        of answers, such as "predictions". None: found by counting; AmbiguousAnswer where several fit.
    :param input_columns: names of the cells of headerless CSV input, or members of JSON Lines input, that stand beside
        the predictions where no prepare task kept any.
    :param key: a column that rows and answers both have; rows then get the answers with their keys, in any order.
    :param content_type: what the input is, where the job does not say, or there is none.
    :param split_type: how it is cut into records.
    :param accept: what the answers are.
    :param partition_by: columns of the table that stand in the names of folders: `day=2026-01-01/`.
    :param table_per: folders of the inputs' paths, "day" for `day=2026-01-01/`: each has a table of its own, below a
        folder of that name; tables of other days, whoever wrote them, stay.
    :param error_member: the member of JSON answers, or the column of `predictions`, that says why a record was refused.
        Such rows are dead letters: they lie below `_dead_letters/`, with the reason, and not in the table.
    :param on_missing: "fail", or "dead_letter" for the rows of inputs without output, where the job has a record.
    :param max_dead: how many dead letters there may be, as a number of rows, or as a part of them such as "0.1%"; if
        any, predictions that are not of the types given are among them. With more TooManyDeadLetters is raised.
    :param processes: how many processes write at once.
    :param share: one of the `shares(8)` that a mapped task writes the table in.
    """

    template_fields = (*ConnectedOperator.template_fields, *map(_kept_as, association.OPTIONS))
    template_fields_renderers: ClassVar[dict[str, str]] = {"result": "json", "predictions": "json"}
    ui_color = "#e5eef4"

    def __init__(  # noqa: PLR0913
        self,
        *,
        result: Any = None,
        job_name: Any = None,
        input: Any = None,  # noqa: A002 - the word of a transform job
        answers: Any = None,
        output: Any,
        format: Any = "parquet",  # noqa: A002
        predictions: Any = None,
        answer: Any = None,
        input_columns: Any = None,
        key: Any = None,
        content_type: Any = None,
        split_type: Any = None,
        accept: Any = None,
        partition_by: Any = (),
        table_per: Any = (),
        error_member: Any = None,
        on_missing: Any = "fail",
        max_dead: Any = 0,
        processes: Any = 1,
        share: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        options = {
            "result": result,
            "job_name": job_name,
            "input": input,
            "answers": answers,
            "output": output,
            "format": format,
            "predictions": predictions,
            "answer": answer,
            "input_columns": input_columns,
            "key": key,
            "content_type": content_type,
            "split_type": split_type,
            "accept": accept,
            "partition_by": partition_by,
            "table_per": table_per,
            "error_member": error_member,
            "on_missing": on_missing,
            "max_dead": max_dead,
            "processes": processes,
            "share": share,
        }
        self._keep(options)
        # All shares write one table.
        self._apart = self._apart or share is not None
        association.check(options)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Check what all instances of a mapped task have alike, when the DAG is parsed."""
        given = {name: kwargs[name] for name in association.OPTIONS if kwargs.get(name) is not None}
        ways = [way for way in association.WAYS if given.keys() & set(way)] or association.WAYS[:1]
        association.check({name: _LATER for way in ways for name in way} | given)
        return super().partial(**kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the table, and return an AssociatedOutput as a dictionary."""
        # A DAG is parsed without any data library.
        from airflow_batchtx.association.associate import associate

        options = self._kept(association.OPTIONS, context)
        if (name := association.check(options)["job_name"]) is not None:
            options |= {"job_name": None, "result": self._result_of(name)}
        request = association.AssociateRequest.read(options)
        opener = StorageHook(**self.aws).opener(extra_args=self.s3_extra_args)
        model_name = model_of(request.result)
        try:
            table = associate(self.store, request, opener=opener)
        except TooManyDeadLetters as failed:
            publish_metrics(context, self, of_dead_letters(failed.dead), model_name=model_name)
            raise
        publish_metrics(context, self, of_table(table), model_name=model_name)
        return table.to_dict()

    @cached_property
    def services(self) -> Services:
        """SageMaker and S3, for a job that is known by its name alone."""
        return services(self.aws, s3_extra_args=self.s3_extra_args)

    def _result_of(self, job_name: str) -> dict[str, Any]:
        """Ask what is known of a job."""
        found = standing(self.services, job_name, control_prefix=configured_control(), prices=PriceTable(prices={}))
        if found.note:
            self.log.info("%s Its outputs are told by their names and times.", found.note)
        return found.result.to_dict()
