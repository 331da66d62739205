from __future__ import annotations

import pytest

from airflow_batchtx import errors
from airflow_batchtx.engine import reasons
from airflow_batchtx.spec.lifecycle import FAILURES

CLIENT, ALGORITHM = (f"{kind}: See job logs for more information" for kind in ("ClientError", "AlgorithmError"))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.ModelRefused("", 400), CLIENT),
        (errors.ModelFailed("", 500), ALGORITHM),
        (errors.MalformedRecord("x"), CLIENT),
        (errors.CountMismatch("x", 1, 2), CLIENT),
        (errors.BucketNotFound("s3://b/k", "NoSuchBucket", ""), CLIENT),
        (errors.AccessDenied("s3://b/k", "AccessDenied", ""), CLIENT),
        (errors.InvalidModelData("no tar"), "ClientError: no tar"),
        (errors.StorageError("s3://b/k", "SlowDown", ""), reasons.INTERNAL_ERROR),
        (ZeroDivisionError(), "InternalServerError: We encountered an internal error.  Please try again."),
    ],
)
def test_which_error_means_which_reason(error: Exception, reason: str) -> None:
    assert reasons.reason(error) == reason


def test_every_reason_has_a_class_that_clients_know() -> None:
    texts = [*reasons.OF_ERROR.values(), reasons.INTERNAL_ERROR]

    assert {text.partition(":")[0] for text in texts} <= FAILURES.keys()


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], None),
        ([CLIENT], CLIENT),
        ([CLIENT, ALGORITHM, CLIENT], ALGORITHM),
        ([ALGORITHM, reasons.INTERNAL_ERROR], reasons.INTERNAL_ERROR),
    ],
)
def test_the_gravest_reason_is_told(found: list[str], told: str | None) -> None:
    assert reasons.gravest(found) == told
