"""S3 URIs as requests write them: SageMaker's pattern allows https as well as s3."""

from __future__ import annotations

import re
from typing import Any

from airflow_batchtx.spec import wire
from airflow_batchtx.spec.limits import S3_URI_PATTERN
from airflow_batchtx.spec.members import BY_NAME
from airflow_batchtx.spec.uri import S3Uri

_ADDRESS = re.compile(S3_URI_PATTERN, re.DOTALL)
_MEMBERS = tuple(BY_NAME[name].path for name in ("input", "output", "data_capture_destination"))


def address(text: str) -> S3Uri:
    """Read `s3://bucket/key` or a path-style https URL, whose key is taken as it stands; a ValueError names others."""
    if found := _ADDRESS.fullmatch(text):
        return S3Uri(found[1], found[2])
    return S3Uri.parse(text)


def is_address(text: str) -> bool:
    """Tell whether `address` reads a text."""
    try:
        address(text)
    except ValueError:
        return False
    return True


def addressed(request: wire.Request) -> wire.Request:
    """Give a copy of a request whose places are all written as `s3://bucket/key`: there is no doubt what that means.

    A list of one is that one, which SageMaker knows.
    """
    copy = wire.copied(request)
    for path in _MEMBERS:
        if (value := wire.at(request, path)) is not None:
            wire.put(copy, path, _plain(value))
    return copy


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return _plain(value[0]) if len(value) == 1 else [_plain(one) for one in value]
    return str(address(value)) if isinstance(value, str) and value.startswith("https:") and is_address(value) else value
