from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.modelserver.contract import (
    ExecutionParameters,
    environment,
    execution_parameters,
    invocation_headers,
)
from airflow_batchtx.spec.enums import BatchStrategy
from airflow_batchtx.spec.uri import S3Uri


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        (
            b'{"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 0}',
            ExecutionParameters(
                max_concurrent_transforms=8, batch_strategy=BatchStrategy.SINGLE_RECORD, max_payload_in_mb=0
            ),
        ),
        (b'{"MaxConcurrentTransforms": 0, "BatchStrategy": "Single", "MaxPayloadInMB": -1}', ExecutionParameters()),
        (b'{"MaxConcurrentTransforms": true, "BatchStrategy": 1, "MaxPayloadInMB": "6"}', ExecutionParameters()),
        (b"[]", None),
        (b"", None),
        (b"\xff\xfe{", None),
    ],
)
def test_execution_parameters_take_what_is_usable(body: bytes, parameters: ExecutionParameters | None) -> None:
    assert execution_parameters(body) == parameters


def test_the_jobs_environment_wins_over_the_models() -> None:
    assert environment({"A": "model", "B": "model"}, {"B": "job"}) == {
        "A": "model",
        "B": "job",
        "SAGEMAKER_BATCH": "true",
    }


def test_a_container_hears_of_the_settings_that_the_request_has() -> None:
    told = environment(
        {}, {}, max_concurrent_transforms=4, max_payload_in_mb=0, batch_strategy=BatchStrategy.MULTI_RECORD
    )

    assert told == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "4",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
        "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
    }


def test_unset_types_are_no_headers() -> None:
    assert not {"Content-Type", "Accept"} & invocation_headers(None, None, S3Uri("b", "k")).keys()


@given(st.text())
def test_any_key_makes_safe_headers_and_comes_through_in_base64(key: str) -> None:
    try:
        key.encode()
    except UnicodeEncodeError:
        return
    headers = invocation_headers("text/csv", None, S3Uri("bucket", key))

    assert not any(byte < 32 or byte == 127 for value in headers.values() for byte in value)
    assert base64.b64decode(headers["X-Amzn-Sagemaker-Input-Object-Base64"]).decode() == f"bucket/{key}"
