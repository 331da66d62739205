"""Which failures are worth another try."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction
from airflow.serialization.serialized_objects import DagSerialization

from airflow_batchtx import errors
from airflow_batchtx.hooks.controlled import ControlledOperator
from airflow_batchtx.hooks.retrying import HOPELESS, LATER, RETRY_POLICY, retry_policy
from airflow_batchtx.operators.batch_transform import BatchTransformOperator, BatchTransformStopOperator
from airflow_batchtx.sensors.batch_transform import BatchTransformSensor
from tests.fake_sagemaker import REQUEST

FAIL, RETRY, DEFAULT = RetryAction.FAIL, RetryAction.RETRY, RetryAction.DEFAULT
DECISIONS: list[tuple[Exception, RetryAction, timedelta | None]] = [
    (errors.InvalidJob("transform job", ()), FAIL, None),
    (errors.InvalidModel("model", ()), FAIL, None),
    (errors.InvalidManifest("it is not JSON"), FAIL, None),
    (errors.EmptyInput("s3://b/in/"), FAIL, None),
    (errors.JobConflict("nightly", "it runs"), FAIL, None),
    (errors.JobRequestInvalid("nightly", "ValidationException", "no such instance type"), FAIL, None),
    (errors.ModelNotFound("churn"), FAIL, None),
    (errors.ModelConflict("churn", ("PrimaryContainer",)), FAIL, None),
    (errors.ModelRequestInvalid("churn", "ValidationException", "no such role"), FAIL, None),
    (errors.PackageNotFound("churn", "Approved"), FAIL, None),
    (errors.JobCapacityError("nightly"), RETRY, timedelta(minutes=10)),
    (errors.JobInternalServerError("nightly"), RETRY, timedelta(minutes=2)),
    # What resumes, and may do better: the input, the model's server or AWS may be well by then.
    (errors.JobClientError("nightly"), DEFAULT, None),
    (errors.JobAlgorithmError("nightly"), DEFAULT, None),
    # Somebody may give the permission meanwhile.
    (errors.JobRefused("nightly", "AccessDeniedException", "not authorized"), DEFAULT, None),
    (errors.ModelCallRefused("churn", "AccessDeniedException", "not authorized"), DEFAULT, None),
    (errors.JobStopped("nightly"), DEFAULT, None),
    (errors.JobTimedOut("nightly", 60.0), DEFAULT, None),
    (errors.OutputIncomplete("nightly"), DEFAULT, None),
    (errors.QuotaExceeded("nightly", "full"), DEFAULT, None),
    (errors.ServiceUnavailable("nightly", "503", "away"), DEFAULT, None),
    (errors.WaitInterrupted("nightly"), DEFAULT, None),
    (RuntimeError("anything else"), DEFAULT, None),
]


@pytest.mark.parametrize(("error", "action", "delay"), DECISIONS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("stored", [False, True], ids=["made", "stored"])
def test_a_failure_is_tried_again_where_that_may_help(
    error: Exception, action: RetryAction, delay: timedelta | None, stored: bool
) -> None:
    policy = retry_policy()
    if stored:  # as Airflow keeps it with a serialized DAG
        policy = ExceptionRetryPolicy.deserialize(policy.serialize())

    decision = policy.evaluate(error, try_number=1, max_tries=3)

    assert (decision.action, decision.retry_delay) == (action, delay)
    assert bool(decision.reason) is (action is not DEFAULT)


def test_no_rule_takes_what_another_one_is_about() -> None:
    kinds = [*HOPELESS, *LATER]

    assert not any(issubclass(one, other) for one in kinds for other in kinds if one is not other)


def test_a_task_that_waits_for_a_job_has_it_unless_it_is_given_its_own() -> None:
    own = ExceptionRetryPolicy(rules=[])

    assert ControlledOperator(task_id="score").retry_policy is RETRY_POLICY
    assert ControlledOperator(task_id="score", retry_policy=own).retry_policy is own
    assert ControlledOperator(task_id="score", retry_policy=None).retry_policy is None


TASKS: list[tuple[type[ControlledOperator], dict[str, object]]] = [
    (BatchTransformOperator, {"job": dict(REQUEST)}),
    (BatchTransformStopOperator, {"job_name": "nightly"}),
    (BatchTransformSensor, {"job_name": "nightly"}),
]
each_task = pytest.mark.parametrize(("kind", "given"), TASKS, ids=lambda value: getattr(value, "__name__", None))
OWN = ExceptionRetryPolicy(rules=[])


@each_task
@pytest.mark.parametrize(
    ("defaults", "options", "policy"),
    [
        ({}, {}, RETRY_POLICY),
        ({"retry_policy": OWN}, {}, OWN),
        ({"retry_policy": None}, {}, None),
        ({}, {"retry_policy": OWN}, OWN),
        ({"retry_policy": None}, {"retry_policy": OWN}, OWN),
    ],
)
def test_a_policy_counts_wherever_airflow_takes_one(
    kind: type[ControlledOperator],
    given: dict[str, object],
    defaults: dict[str, object],
    options: dict[str, object],
    policy: object,
) -> None:
    with DAG("churn", schedule=None, default_args=defaults) as dag:
        single = kind(task_id="single", **given, **options)
        mapped = kind.partial(task_id="mapped", **options).expand(**{name: [value] for name, value in given.items()})

    assert single.retry_policy is policy
    assert mapped.retry_policy is policy
    assert mapped.unmap(given).retry_policy is policy
    # What the scheduler knows of it: that there is one, which a worker finds in the DAG's file.
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert [stored.get_task(name).has_retry_policy for name in ("single", "mapped")] == [policy is not None] * 2
