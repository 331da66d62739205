"""Where a job stands: what SageMaker says of it, and what its control folder knows beside."""

from __future__ import annotations

from dataclasses import dataclass, replace

from airflow_batchtx.control.assigning import OUTPUT, control_of
from airflow_batchtx.control.assignment import OnRecord
from airflow_batchtx.control.diagnosis import diagnose
from airflow_batchtx.control.drafting import outputs_below
from airflow_batchtx.control.ending import Ending
from airflow_batchtx.control.ledger import RECORD, Ledger
from airflow_batchtx.control.services import Services
from airflow_batchtx.control.waiting import ended
from airflow_batchtx.errors import BatchTransformError, JobFailed, JobStopped
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.planning.completeness import completeness
from airflow_batchtx.sagemaker.jobs import Described
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.intent import Intent
from airflow_batchtx.spec.lifecycle import failure
from airflow_batchtx.spec.policy import Policy
from airflow_batchtx.spec.prices import PriceTable
from airflow_batchtx.spec.result import TransformResult
from airflow_batchtx.spec.uri import S3Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A job as it is now. `error` is what its end means where that is no success; `note` why something is not known."""

    result: TransformResult
    error: JobFailed | None
    note: str = ""


def standing(services: Services, job_name: str, *, control_prefix: str | None, prices: PriceTable) -> Standing:
    """Look at a job, and at its control folder below `control_prefix` (None: beside its output).

    JobNotFound, JobRefused or ServiceUnavailable; what the folder does not tell is left open, and the note says why.
    """
    described = services.jobs.describe(job_name)
    ending = Ending(services=services, policy=Policy(), prices=prices)
    bare = ending.result(described, None)
    try:
        ledger = Ledger(services.store, control_of(address(wire.at(described, OUTPUT)), control_prefix))
        written = ledger.intent(job_name)
        if written is None:
            note = (
                f"{ledger.folder(job_name)} holds no intent: it was not made by airflow-batchtx, or is kept elsewhere."
            )
            return Standing(result=bare, error=_error(services, described, None), note=note)
        attempt = OnRecord(folder=ledger.folder(job_name), intent=written.intent)
        result = _counted(services, ledger, ending.result(described, attempt), written.intent)
    except (BatchTransformError, ValueError) as trouble:
        return Standing(
            result=bare, error=_error(services, described, None), note=f"The control folder tells nothing: {trouble}"
        )
    return Standing(result=result, error=_error(services, described, written.intent))


def _counted(services: Services, ledger: Ledger, result: TransformResult, intent: Intent) -> TransformResult:
    """Count the objects that have their output: as on record, or as they lie there."""
    if record := ledger.record(result.job_name):
        uri = str(ledger.folder(result.job_name) / RECORD)
        return replace(result, objects_done=record.result.get("objects_done"), record=uri)
    found = completeness(intent.objects, outputs_below(services.store, S3Uri.parse(intent.output)))
    return replace(result, objects_done=len(found.done))


def _error(services: Services, described: Described, intent: Intent | None) -> JobFailed | None:
    if not ended(described):
        return None
    error = failure(described["TransformJobName"], described["TransformJobStatus"], described.get("FailureReason", ""))
    if error is None or isinstance(error, JobStopped):
        return error
    inputs = {one.uri for one in intent.objects} if intent else ()
    found = diagnose(services.logs, described, sleep=services.sleep, clock=services.clock, patience=0.0, inputs=inputs)
    return found.explain(error)
