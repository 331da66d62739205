"""Which failures are worth another try: the retry policies of tasks that are not given one."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from airflow_batchtx import errors

# The same input, model and request would fail again.
HOPELESS = (
    errors.InvalidInput,
    errors.InvalidManifest,
    errors.EmptyInput,
    errors.JobConflict,
    errors.JobRequestInvalid,
    errors.ModelConflict,
    errors.ModelNotFound,
    errors.ModelRequestInvalid,
    errors.PackageNotFound,
)
# There may be instances again in a while, and SageMaker may be well again.
LATER = {errors.JobCapacityError: timedelta(minutes=10), errors.JobInternalServerError: timedelta(minutes=2)}


def retry_policy() -> ExceptionRetryPolicy:
    """Give the policy of tasks that wait for a job: never retry what is hopeless, and give AWS time if it is to blame.

    A task's own `retries` bound it all the same; what no rule names is retried as the task says.
    """
    hopeless = [
        RetryRule(exception=_path(kind), action=RetryAction.FAIL, reason="another try would fail as well")
        for kind in HOPELESS
    ]
    later = [
        RetryRule(exception=_path(kind), action=RetryAction.RETRY, retry_delay=delay, reason="AWS needs time")
        for kind, delay in LATER.items()
    ]
    return ExceptionRetryPolicy(rules=[*hopeless, *later])


def _path(kind: type[Exception]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


RETRY_POLICY = retry_policy()
# That of tasks over tables. The same options would fail again; data that are wrong, InvalidData, may have been
# replaced, or have arrived, by then.
DATA_RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=_path(errors.InvalidInput),
            action=RetryAction.FAIL,
            reason="another try would fail as well",
            match_subclasses=False,
        )
    ]
)
