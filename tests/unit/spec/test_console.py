from __future__ import annotations

import itertools
import re
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.spec.console import JobPages, job_pages
from airflow_batchtx.spec.uri import S3Uri

OUT = S3Uri.parse("s3://lake/out/day=1")
REGIONAL = "https://api.sagemaker.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("region", "endpoint", "host"),
    [
        ("eu-west-1", REGIONAL, "eu-west-1.console.aws.amazon.com"),
        ("us-east-1", "https://api.sagemaker.us-east-1.amazonaws.com", "us-east-1.console.aws.amazon.com"),
        ("us-east-2", "https://api-fips.sagemaker.us-east-2.amazonaws.com", "us-east-2.console.aws.amazon.com"),
        ("us-east-1", "https://api.sagemaker.us-east-1.api.aws", "us-east-1.console.aws.amazon.com"),
        (
            "us-east-1",
            "https://vpce-0a1b.api.sagemaker.us-east-1.vpce.amazonaws.com:443/",
            "us-east-1.console.aws.amazon.com",
        ),
        ("cn-north-1", "https://api.sagemaker.cn-north-1.amazonaws.com.cn", "cn-north-1.console.amazonaws.cn"),
        (
            "us-gov-west-1",
            "https://api.sagemaker.us-gov-west-1.amazonaws.com",
            "us-gov-west-1.console.amazonaws-us-gov.com",
        ),
        (
            "eusc-de-east-1",
            "https://api.sagemaker.eusc-de-east-1.amazonaws.eu",
            "eusc-de-east-1.console.amazonaws-eusc.eu",
        ),
    ],
)
def test_the_console_is_that_of_the_partition_and_region(region: str, endpoint: str, host: str) -> None:
    pages = job_pages(region=region, job_name="nightly-1a2b", output=OUT, endpoint=endpoint)

    assert pages == JobPages(
        job=f"https://{host}/sagemaker/home?region={region}#/transform-jobs/nightly-1a2b",
        logs=f"https://{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
        "$252Faws$252Fsagemaker$252FTransformJobs$3FlogStreamNameFilter$3Dnightly-1a2b$252F",
        output=f"https://{host}/s3/buckets/lake?region={region}&prefix=out/day%3D1/",
    )


CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
PARTITIONS = botocore.session.get_session().get_component("data_loader").load_data("partitions")["partitions"]


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda partition: partition["id"])
def test_every_region_that_botocore_knows_has_its_partitions_console_or_none(partition: dict[str, Any]) -> None:
    regions = [region for region in partition["regions"] if re.search(r"-\d+$", region)]
    suffixes = {partition["outputs"][kind] for kind in ("dnsSuffix", "dualStackDnsSuffix")}
    assert regions

    for region, suffix in itertools.product(regions, suffixes):
        pages = job_pages(region=region, job_name="j", output=OUT, endpoint=f"https://api.sagemaker.{region}.{suffix}")
        if (console := CONSOLES.get(partition["id"])) is None:
            assert pages == JobPages(job=None, logs=None, output=None)
        else:
            assert urlsplit(pages.job).hostname == f"{region}.{console}"


@pytest.mark.parametrize(
    ("endpoint", "page"),
    [
        ("http://127.0.0.1:5800", "http://127.0.0.1:5800/jobs/us-east-1/j"),
        ("http://127.0.0.1:5800/", "http://127.0.0.1:5800/jobs/us-east-1/j"),
        ("http://engine:5800/batchtx/", "http://engine:5800/batchtx/jobs/us-east-1/j"),
        ("https://amazonaws.com.example.org", "https://amazonaws.com.example.org/jobs/us-east-1/j"),
        ("https://notamazonaws.com", "https://notamazonaws.com/jobs/us-east-1/j"),
        ("http://[::1]:5800", "http://[::1]:5800/jobs/us-east-1/j"),
        ("https://me:secret@engine.example.org", "https://engine.example.org/jobs/us-east-1/j"),
    ],
)
def test_an_endpoint_of_ones_own_has_the_engines_page(endpoint: str, page: str) -> None:
    assert job_pages(region="us-east-1", job_name="j", output=OUT, endpoint=endpoint) == JobPages(
        job=page, logs=f"{page}/logs", output=page
    )


@given(st.text(max_size=30))
def test_any_prefix_is_quoted_so_that_the_console_reads_it_back(key: str) -> None:
    page = job_pages(region="eu-west-1", job_name="j", output=S3Uri("lake", key), endpoint=REGIONAL).output

    assert page is not None
    assert page.isascii()
    assert page.endswith(f"&prefix={quote(S3Uri('lake', key).as_folder().key, safe='/~')}")
    assert parse_qs(urlsplit(page).query, keep_blank_values=True)["prefix"] == [S3Uri("lake", key).as_folder().key]
