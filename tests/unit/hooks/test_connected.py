"""What every task takes: the way to AWS."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_batchtx.errors import InvalidInput
from airflow_batchtx.hooks.connected import ConnectedOperator

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("name", ["SSECustomerKey", "SSECustomerKeyMD5"])
def test_a_key_of_ones_own_is_refused_before_airflow_shows_it(name: str) -> None:
    with pytest.raises(InvalidInput, match=rf"s3_extra_args\.{name} = '\*\*\*'.*SSEKMSKeyId") as caught:
        ConnectedOperator(task_id="task", s3_extra_args={name: SECRET, "RequestPayer": "requester"})

    assert SECRET not in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_key_that_comes_out_of_a_template_is_refused_too() -> None:
    task = ConnectedOperator(task_id="task", s3_extra_args="{{ params.extra }}")  # type: ignore[arg-type]
    task.s3_extra_args = {"SSECustomerKey": SECRET}

    with pytest.raises(InvalidInput) as caught:
        _ = task.store

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("extra", [None, {}, {"SSEKMSKeyId": "alias/batch", "ExpectedBucketOwner": "123456789012"}])
def test_other_arguments_stand(extra: Any) -> None:
    assert ConnectedOperator(task_id="task", s3_extra_args=extra).s3_extra_args == extra
