"""AWS JSON 1.1 as SageMaker speaks it: requests in, answers and errors out. Knows no operation and no socket."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.errors import RequestRefused

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "SageMaker"
# Signature version 4: Credential=<key>/<date>/<region>/<service>/aws4_request
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/(?P<region>[a-z0-9-]+)/[a-z0-9-]+/aws4_request")
# Errors that the service model knows carry `Message`; the rest is AWS's own and writes `message`.
_MODELED = frozenset({"ResourceNotFound", "ResourceInUse", "ResourceLimitExceeded", "ConflictException"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, headers and body."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def operation_name(headers: Mapping[str, str], known: Container[str]) -> str:
    """Read the operation out of X-Amz-Target (header names in lower case); it must be a known one."""
    target = headers.get("x-amz-target", "")
    prefix, _, name = target.partition(".")
    if prefix != TARGET_PREFIX or name not in known:
        raise RequestRefused("UnknownOperationException", f"This engine does not serve X-Amz-Target {target!r}.")
    return name


def region(headers: Mapping[str, str], fallback: str) -> str:
    """Read the Region that a request was signed for; the signature itself is not checked."""
    found = _SCOPE.search(headers.get("authorization", ""))
    return found["region"] if found else fallback


def decoded(body: bytes) -> object:
    """Read a request's JSON; no body is an empty request."""
    try:
        found = json.loads(body) if body else {}
        # JSON may escape half a character, which Python reads and can never write.
        _json(found)
    except (ValueError, RecursionError) as error:  # broken JSON, bytes that are no UTF-8, nesting without an end
        raise RequestRefused("SerializationException", f"The body is not JSON: {error}") from error
    return found


def success(result: Mapping[str, Any] | None, request_id: str) -> Answer:
    """Write what an operation returned; None is an empty body. Times are epoch seconds with milliseconds."""
    return _answer(200, b"" if result is None else _json(result), request_id)


def failure(error: RequestRefused, request_id: str) -> Answer:
    """Write a refusal: AWS answers 400 to all of them."""
    member = "Message" if error.code in _MODELED else "message"
    return _answer(400, _json({"__type": error.code, member: error.detail}), request_id)


def breakdown(request_id: str) -> Answer:
    """Write that the engine itself failed."""
    return _answer(500, _json({"__type": "InternalFailure", "message": "The engine failed; see its log."}), request_id)


def _answer(status: int, body: bytes, request_id: str) -> Answer:
    return Answer(status, body, {"content-type": CONTENT_TYPE, "x-amzn-requestid": request_id})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
