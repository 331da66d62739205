"""What a transform task read and wrote, as OpenLineage's provider asks for it: also of one that failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batchtx.planning.addresses import address, is_address
from airflow_batchtx.planning.selection import common_folder
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import S3DataType
from airflow_batchtx.spec.intent import Intent
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.prepared import INPUT_PATH
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet

_OUTPUT, _DATA_TYPE = BY_NAME["output"].path, BY_NAME["s3_data_type"].path
# Members of DescribeModel's answer that name what a model is made of, at the end of a path.
_ARTEFACTS, _PACKAGE, _ENVIRONMENT = ("ModelDataUrl", "S3Uri"), "ModelPackageName", "Environment"
# Datasets that stand for the input in one event.
_MOST = 100
_ARN = re.compile(r"(?P<namespace>arn:[^:]+:sagemaker:[^:]*:[^:]*):(?P<name>.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What is known of a piece of work by now; `objects_done` counts the inputs that have their output."""

    job_name: str | None = None
    job_arn: str | None = None
    intent: Intent | None = None
    result: TransformResult | None = None
    objects_done: int | None = None


NOTHING = Trace()


class Traced:
    """Makes a task tell OpenLineage its `trace`, which it renews as it learns more, in each of its processes."""

    trace: Trace = NOTHING

    def given_request(self) -> Mapping[str, Any]:
        """Give the CreateTransformJob request of the rendered task, its input settled; each kind of task says how."""
        raise NotImplementedError

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Tell what the task is about to read and write."""
        return lineage(self.given_request())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002
        """Tell what the task has read and written; the same after a failure, whose message Airflow adds."""
        return lineage(self.given_request(), self.trace)


def lineage(request: Mapping[str, Any], trace: Trace = NOTHING) -> OperatorLineage[Any, Any]:
    """Describe a piece of work to OpenLineage: its input, its model, its output, and its job.

    `request` is a CreateTransformJob request as a task was given it, its input settled (see spec.prepared).
    """
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage(
        inputs=[*_inputs(request, trace), *_model(trace)],
        outputs=[_output(request, trace)],
        run_facets=dict(_run_facets(request, trace)),
    )


# ------------------------------------------------------------------------------------------------------ datasets


def dataset_name(uri: S3Uri) -> tuple[str, str]:
    """Name an object or a prefix as OpenLineage does: `s3://bucket` and the key; a prefix has no slash at its end.

    So it has one name whether a task writes it with a slash or without, and the one that other producers give it.
    """
    return f"s3://{uri.bucket}", uri.key.rstrip("/") or "/"


def _inputs(request: Mapping[str, Any], trace: Trace) -> Iterator[InputDataset]:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset

    asked = _asked(request, trace)
    pinned = [(S3Uri.parse(one.uri), one.size) for one in trace.intent.objects] if trace.intent else []
    for uri in asked:
        sizes = [size for one, size in pinned if uri.covers(one)]
        statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=trace.intent.rows if trace.intent and len(asked) == 1 else None,
            size=sum(sizes),
            fileCount=len(sizes),
        )
        yield InputDataset(*dataset_name(uri), inputFacets={"inputStatistics": statistics} if trace.intent else {})


def _asked(request: Mapping[str, Any], trace: Trace) -> tuple[S3Uri, ...]:
    """Give the prefixes and objects that the task was given.

    For a manifest of its own, and for more than an event should name, it is the folder that they have in common.
    """
    source = wire.at(request, INPUT_PATH)
    if wire.at(request, _DATA_TYPE) == S3DataType.MANIFEST_FILE and trace.intent:
        return (common_folder(S3Uri.parse(one.uri) for one in trace.intent.objects),)
    asked = tuple(dict.fromkeys(address(text) for text in (source if isinstance(source, list) else [source])))
    return asked if len(asked) <= _MOST else (common_folder(asked),)


def _output(request: Mapping[str, Any], trace: Trace) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    uri = S3Uri.parse(wire.at(request, _OUTPUT))
    done = trace.result.objects_done if trace.result else trace.objects_done
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        # Only whole outputs have as many rows as what was prepared for them.
        rowCount=trace.result.rows if trace.result and done == trace.result.objects else None,
        fileCount=done,
    )
    return OutputDataset(*dataset_name(uri), outputFacets={} if done is None else {"outputStatistics": statistics})


def _model(trace: Trace) -> Iterator[InputDataset]:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import dataset_type_dataset

    facets: dict[str, DatasetFacet] = {"datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(datasetType="MODEL")}
    for namespace, name in dict.fromkeys(_model_names(trace)):
        yield InputDataset(namespace, name, facets=facets)


def _model_names(trace: Trace) -> Iterator[tuple[str, str]]:
    """Name the artefacts and packages of a model: those in S3 by their URIs, packages by account and Region."""
    for path, value in (trace.intent.work.model if trace.intent else {}).items():
        *above, last = path.split(".")
        if _ENVIRONMENT in above:
            continue
        if last == _PACKAGE:
            yield _package_name(value, trace.job_arn)
        elif last in _ARTEFACTS and is_address(value):
            yield dataset_name(address(value))


def _package_name(package: str, job_arn: str | None) -> tuple[str, str]:
    # OpenLineage's naming has no rule for models. Glue's tables are the precedent: arn:aws:glue:{region}:{account},
    # and what follows in the ARN.
    if found := _ARN.fullmatch(package):
        return found["namespace"], found["name"]
    home = _ARN.fullmatch(job_arn or "")
    return home["namespace"] if home else "sagemaker", f"model-package/{package}"


# -------------------------------------------------------------------------------------------------------- facets


def _run_facets(request: Mapping[str, Any], trace: Trace) -> Iterator[tuple[str, Any]]:
    from openlineage.client.facet_v2 import external_query_run

    from airflow_batchtx.lineage.facets import JOB_FACET, TransformJobRunFacet

    if trace.job_name is None:
        return
    if trace.job_arn:
        facet = external_query_run.ExternalQueryRunFacet(externalQueryId=trace.job_arn, source="sagemaker")
        yield "externalQuery", facet
    values, result = wire.flat(trace.intent.request if trace.intent else request), trace.result
    yield (
        JOB_FACET,
        TransformJobRunFacet(
            jobName=trace.job_name,
            status=result.status if result else None,
            instanceType=values.get("instance_type"),
            instanceCount=values.get("instance_count"),
            instanceSeconds=result.instance_seconds if result else None,
            cost=result.cost if result else None,
            currency=result.currency if result else None,
            attempts=trace.intent.attempt if trace.intent else None,
            reused=result.reused if result else None,
            record=result.record if result else None,
        ),
    )
