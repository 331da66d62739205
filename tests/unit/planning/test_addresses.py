from __future__ import annotations

import pytest

from airflow_batchtx.planning.addresses import address, addressed, is_address
from airflow_batchtx.spec import wire
from airflow_batchtx.spec.uri import S3Uri


@pytest.mark.parametrize(
    "host",
    [
        "s3.amazonaws.com",
        "s3.eu-west-1.amazonaws.com",
        "s3-us-west-2.amazonaws.com",
        "s3.dualstack.eu-west-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
    ],
)
def test_path_style_urls_name_bucket_and_key(host: str) -> None:
    assert address(f"https://{host}/bucket/in/a b%20.csv") == S3Uri("bucket", "in/a b%20.csv")
    assert address(f"https://{host}/bucket") == S3Uri("bucket")


def test_s3_uris_are_read_as_ever() -> None:
    assert address("s3://bucket/in/") == S3Uri("bucket", "in/")


@pytest.mark.parametrize(
    "text",
    [
        "https://bucket.s3.eu-west-1.amazonaws.com/key",
        "https://s3.amazonaws.com/",
        "https://example.org/bucket/key",
        "https://s3.evil.org/bucket/key",
        "bucket/key",
    ],
)
def test_other_urls_are_not_guessed_at(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(ValueError, match="is not an S3 URI"):
        address(text)


INPUT, OUTPUT = "TransformInput.DataSource.S3DataSource.S3Uri", "TransformOutput.S3OutputPath"
HTTPS = "https://s3.eu-west-1.amazonaws.com/bucket"


def test_a_request_names_its_places_in_one_way() -> None:
    request: wire.Request = {"ModelName": "m"}
    wire.put(request, INPUT, [f"{HTTPS}/in/a.csv", "s3://bucket/in/b.csv", "s3://bucket"])
    wire.put(request, OUTPUT, f"{HTTPS}/out/")
    before = wire.flat(request)

    plain = addressed(request)

    assert wire.at(plain, INPUT) == ["s3://bucket/in/a.csv", "s3://bucket/in/b.csv", "s3://bucket"]
    assert wire.at(plain, OUTPUT) == "s3://bucket/out/"
    assert wire.flat(request) == before
    assert addressed({"ModelName": "m"}) == {"ModelName": "m"}


@pytest.mark.parametrize("one", [f"{HTTPS}/in/", "s3://bucket/in/"])
def test_a_list_of_one_is_that_one(one: str) -> None:
    request: wire.Request = {}
    wire.put(request, INPUT, [one])

    assert wire.at(addressed(request), INPUT) == "s3://bucket/in/"
