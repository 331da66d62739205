"""Where people look at a job: pages of AWS's console, or of the local engine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_batchtx.spec.uri import S3Uri

# AWS partitions by the beginnings of their Regions' names: the host of the console (a general reference of AWS, or what
# AWS's own samples print). Partitions that no list names have no console that is known here.
_CONSOLES = (
    ("cn-", "console.amazonaws.cn"),
    ("us-gov-", "console.amazonaws-us-gov.com"),
    ("eusc-", "console.amazonaws-eusc.eu"),
    ("us-iso", None),
    ("eu-iso", None),
    ("", "console.aws.amazon.com"),
)
# botocore, partitions.json: dnsSuffix and dualStackDnsSuffix of all partitions. VPC endpoints end in them too.
_AWS_HOSTS = (
    "amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "sc2s.sgov.gov", "cloud.adc-e.uk",
    "csp.hci.ic.gov", "api.aws", "api.amazonwebservices.com.cn", "api.amazonwebservices.eu", "api.aws.ic.gov",
    "api.aws.scloud", "api.cloud-aws.adc-e.uk", "api.aws.hci.ic.gov",
)  # fmt: skip
_ENDPOINT = re.compile(r"(?P<scheme>https?)://([^/@]*@)?(?P<host>[^/@]+)(?P<path>/.*)?")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")

# The developer guide, logging-cloudwatch.
_LOG_GROUP = "/aws/sagemaker/TransformJobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPages:
    """Addresses for a browser; None where there is no such page that is known."""

    job: str | None
    logs: str | None
    output: str | None


def job_pages(*, region: str, job_name: str, output: S3Uri, endpoint: str) -> JobPages:
    """Give the pages of a job. `endpoint` is the URL that calls go to: one that is not AWS's own is the local engine's.

    Names and passwords that a URL may hold are left out.
    """
    if (engine := _own_server(endpoint)) is not None:
        page = f"{engine}/jobs/{region}/{job_name}"
        return JobPages(job=page, logs=f"{page}/logs", output=page)
    host = next(host for beginning, host in _CONSOLES if region.startswith(beginning))
    if host is None:
        return JobPages(job=None, logs=None, output=None)
    console = f"https://{region}.{host}"
    group = _LOG_GROUP.replace("/", "$252F")
    return JobPages(
        job=f"{console}/sagemaker/home?region={region}#/transform-jobs/{job_name}",
        # The console writes what follows its # in an encoding of its own, with $ for %.
        logs=f"{console}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}"
        f"$3FlogStreamNameFilter$3D{job_name}$252F",
        output=f"{console}/s3/buckets/{output.bucket}?region={region}&prefix={_quoted(output.as_folder().key)}",
    )


def _own_server(endpoint: str) -> str | None:
    """Give the beginning of all addresses on a server that is not AWS's."""
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None:
        return None
    name = found["host"].rpartition(":")[0] or found["host"]
    if any(name.endswith(f".{suffix}") for suffix in _AWS_HOSTS):
        return None
    return f"{found['scheme']}://{found['host']}{(found['path'] or '').rstrip('/')}"


def _quoted(text: str) -> str:
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())
