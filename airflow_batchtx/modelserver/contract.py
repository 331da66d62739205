"""The names and rules that SageMaker and a model container agree on.

Source: developer guide, "Use Your Own Inference Code with Batch Transform"; headers as a container once logged them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_batchtx.spec.enums import BatchStrategy
from airflow_batchtx.spec.uri import S3Uri

PING = "/ping"
EXECUTION_PARAMETERS = "/execution-parameters"
INVOCATIONS = "/invocations"

PING_SECONDS = 2.0

# Where a container listens, what it is told to do, and where it finds its model.
PORT = 8080
COMMAND = "serve"
MODEL_FOLDER = "/opt/ml/model"

# SageMaker's own words in a job's data-log and its FailureReason.
PING_FAILED = (
    "Model container failed to respond to ping. "
    "Please ensure /ping endpoint is implemented and responds with an HTTP 200 status code"
)
REFUSED = "ClientError: {status}"
FAILED = "Bad HTTP status received from algorithm: {status}"
NO_ANSWER = "Unable to get response from algorithm"
TIMED_OUT = "Model server did not respond to /invocations request within {seconds:g} seconds"

CODE_FOLDER = "code"
REQUIREMENTS = "requirements.txt"
PROGRAM = "SAGEMAKER_PROGRAM"
DEFAULT_PROGRAM = "inference.py"
DEFAULT_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
WORKERS = "SAGEMAKER_MODEL_SERVER_WORKERS"

PROBE_HEADERS: Mapping[str, bytes] = {"User-Agent": b"Go-http-client/1.1", "Accept-Encoding": b"gzip"}

# Containers spell the strategies unlike the API: in their environment and in /execution-parameters.
STRATEGY_NAMES: Mapping[BatchStrategy, str] = {
    BatchStrategy.MULTI_RECORD: "MULTI_RECORD",
    BatchStrategy.SINGLE_RECORD: "SINGLE_RECORD",
}
_STRATEGIES = {name: strategy for strategy, name in STRATEGY_NAMES.items()}

# A key may hold any character, a header may not hold control characters; the base64 header is always exact.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionParameters:
    """What a container asks for at /execution-parameters; None where it says nothing usable. MB are MiB."""

    max_concurrent_transforms: int | None = None
    batch_strategy: BatchStrategy | None = None
    max_payload_in_mb: int | None = None


def execution_parameters(body: bytes) -> ExecutionParameters | None:
    """Read a container's answer; None for one that is no JSON object. Values of a wrong type count as not given."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    return ExecutionParameters(
        max_concurrent_transforms=_whole(found.get("MaxConcurrentTransforms"), least=1),
        batch_strategy=_STRATEGIES.get(str(found.get("BatchStrategy"))),
        max_payload_in_mb=_whole(found.get("MaxPayloadInMB"), least=0),
    )


def _whole(value: object, *, least: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= least else None


def environment(
    model: Mapping[str, str],
    job: Mapping[str, str],
    *,
    max_concurrent_transforms: int | None = None,
    max_payload_in_mb: int | None = None,
    batch_strategy: BatchStrategy | None = None,
) -> dict[str, str]:
    """Give a container's environment: the model's, the job's over it, SageMaker's own over both.

    The three settings are those of the request; one that the request leaves out (None) is not told to the container.
    """
    said = {
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": max_concurrent_transforms,
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": max_payload_in_mb,
        "SAGEMAKER_BATCH_STRATEGY": None if batch_strategy is None else STRATEGY_NAMES[batch_strategy],
    }
    own = {name: str(value) for name, value in said.items() if value is not None}
    return {**model, **job, "SAGEMAKER_BATCH": "true", **own}


def invocation_headers(content_type: str | None, accept: str | None, source: S3Uri) -> dict[str, bytes]:
    """Give the headers of one invocation, without those that say how its body is framed."""
    source_object = f"{source.bucket}/{source.key}"
    texts = {"Content-Type": content_type, "Accept": accept, "X-Amzn-Sagemaker-Input-Object": source_object}
    return {
        **PROBE_HEADERS,
        **{name: _header_value(text) for name, text in texts.items() if text},
        "X-Amzn-Sagemaker-Input-Object-Base64": base64.b64encode(source_object.encode()),
    }


def _header_value(text: str) -> bytes:
    return _CONTROLS.sub(" ", text).encode()
