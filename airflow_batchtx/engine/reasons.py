"""Why a job failed: the texts of FailureReason that SageMaker gives, and which error means which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_batchtx import errors

# Texts: aws/sagemaker-python-sdk#1112, #1758, aws/amazon-sagemaker-examples#852. The two blanks are AWS's.
CLIENT_ERROR = "ClientError: See job logs for more information"
ALGORITHM_ERROR = "AlgorithmError: See job logs for more information"
INTERNAL_ERROR = "InternalServerError: We encountered an internal error.  Please try again."
CAPACITY_ERROR = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
NO_PING = (
    "AlgorithmError: Model container failed to respond to ping. Please ensure /ping endpoint is implemented and"
    " responds with an HTTP 200 status code"
)

# The first that fits an error is its reason.
OF_ERROR: Mapping[type[Exception], str] = {
    errors.ModelNotReady: NO_PING,
    errors.ModelRefused: CLIENT_ERROR,
    errors.ModelFailed: ALGORITHM_ERROR,
    errors.RecordError: CLIENT_ERROR,
    errors.ObjectNotFound: CLIENT_ERROR,
    errors.BucketNotFound: CLIENT_ERROR,
    errors.AccessDenied: CLIENT_ERROR,
}
# Of several reasons the one that asks for most attention is told.
_RANKS = ("InternalServerError", "AlgorithmError", "ClientError")


def reason(error: Exception) -> str:
    """Tell the FailureReason that an error means; what nobody foresaw is the engine's fault."""
    if isinstance(error, errors.InvalidModelData):
        return f"ClientError: {error.detail}"
    return next((text for kind, text in OF_ERROR.items() if isinstance(error, kind)), INTERNAL_ERROR)


def gravest(reasons: Iterable[str]) -> str | None:
    """Pick the reason that a job tells; None where nothing failed."""
    return min(set(reasons), key=lambda text: (_RANKS.index(text.partition(":")[0]), text), default=None)
