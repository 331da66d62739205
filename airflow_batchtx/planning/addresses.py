"""S3 URIs as requests write them: SageMaker's pattern allows https as well as s3."""

from __future__ import annotations

import re

from airflow_batchtx.spec.uri import S3Uri

# Amazon S3 User Guide, path-style requests: https://s3.<Region>.amazonaws.com/<bucket>/<key>, older forms included.
_PATH_STYLE = re.compile(
    r"https://s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?/(?P<bucket>[^/]+)/?(?P<key>.*)", re.DOTALL
)


def address(text: str) -> S3Uri:
    """Read `s3://bucket/key` or a path-style https URL, whose key is taken as it stands; a ValueError names others.

    How SageMaker resolves https is not documented; a bucket in the host name is not guessed at.
    """
    if found := _PATH_STYLE.fullmatch(text):
        return S3Uri(found["bucket"], found["key"])
    return S3Uri.parse(text)


def is_address(text: str) -> bool:
    """Tell whether `address` reads a text."""
    try:
        address(text)
    except ValueError:
        return False
    return True
