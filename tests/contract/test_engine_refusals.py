"""What the engine refuses at once, to the letter where AWS's text is known."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engines import ROLE, Desk, Engine

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


def refused(desk: Desk, code: str, request: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as caught:
        desk.client.create_transform_job(**request)
    error = caught.value.response["Error"]
    assert error["Code"] == code
    return error["Message"]


@pytest.fixture
def model(desk: Desk) -> str:
    desk.put_at("in/a.csv", b"1\n")
    return desk.model(desk.models.url("echo"))


# ---------------------------------------------------------------------------------------------------- shapes


def test_one_broken_constraint(desk: Desk, model: str) -> None:
    message = refused(desk, "ValidationException", desk.request(model, SplitType="Nope"))

    assert message == (
        "1 validation error detected: Value 'Nope' at 'transformInput.splitType' failed to satisfy constraint: Member"
        " must satisfy enum value set: [None, Line, RecordIO, TFRecord]"
    )


def test_unknown_instance_type_names_the_known_ones(desk: Desk, model: str) -> None:
    message = refused(desk, "ValidationException", desk.request(model, InstanceType="ml.t2.medium"))

    assert message.startswith(
        "1 validation error detected: Value 'ml.t2.medium' at 'transformResources.instanceType' failed to satisfy"
        " constraint: Member must satisfy enum value set: ["
    )
    assert "ml.m5.large" in message


def test_all_broken_constraints_in_one_message(desk: Desk, model: str) -> None:
    request = desk.request(model, TransformJobName="x" * 64, InstanceType="nope", BatchStrategy="nope")

    message = refused(desk, "ValidationException", request)

    assert message.startswith("4 validation errors detected: ")
    assert f"Value '{'x' * 64}' at 'transformJobName'" in message
    assert "Member must have length less than or equal to 63" in message
    assert "Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}" in message
    assert "at 'batchStrategy'" in message
    assert "at 'transformResources.instanceType'" in message


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        (
            {"Tags": [{"Key": "a", "Value": "b"}, {"Key": "k", "Value": "v" * 257}]},
            (
                f"Value '{'v' * 257}' at 'tags.2.member.value' failed to satisfy constraint: Member"
                " must have length less"
                " than or equal to 256"
            ),
        ),
        (
            {"Environment": {"1A": "x"}},
            (
                "Value '{1A=x}' at 'environment' failed to satisfy constraint: Map keys must satisfy"
                " constraint: [Member must"
                " have length less than or equal to 1024, Member must have length greater than or"
                " equal to 0, Member must"
                " satisfy regular expression pattern: ^[a-zA-Z_][a-zA-Z0-9_]{0,1023}]"
            ),
        ),
        (
            {"ModelClientConfig": {"InvocationsTimeoutInSeconds": 3601}},
            (
                "Value '3601' at 'modelClientConfig.invocationsTimeoutInSeconds' failed to satisfy"
                " constraint: Member must"
                " have value less than or equal to 3600"
            ),
        ),
        (
            {"DataProcessing": {"InputFilter": "$" * 64}},
            (
                f"Value '{'$' * 64}' at 'dataProcessing.inputFilter' failed to satisfy constraint:"
                " Member must have length"
                " less than or equal to 63"
            ),
        ),
    ],
)
def test_where_a_constraint_is_broken(desk: Desk, model: str, members: dict[str, Any], sentence: str) -> None:
    message = refused(desk, "ValidationException", desk.request(model, **members))

    assert message == f"1 validation error detected: {sentence}"


def posted(engine: Engine, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    try:
        with urllib.request.urlopen(urllib.request.Request(engine.url, body, headers)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "The body is not JSON"),
        (b"[]", "Start of list found where not expected."),
        (b'{"TransformJobName": 1}', "NUMBER_VALUE cannot be converted to String"),
        (b'{"TransformJobNam": "x"}', "TransformJobNam"),
    ],
)
def test_what_is_no_request_at_all(engine: Engine, body: bytes, text: str) -> None:
    status, error = posted(engine, "SageMaker.DescribeTransformJob", body)

    assert (status, error["__type"]) == (400, "SerializationException")
    assert text in error["message"]


def test_a_missing_member_is_null(engine: Engine) -> None:
    _, error = posted(engine, "SageMaker.DescribeTransformJob", b'{"TransformJobName": null}')

    assert error["message"] == (
        "1 validation error detected: Value null at 'transformJobName' failed to satisfy constraint: Member must not be"
        " null"
    )


@pytest.mark.parametrize("target", ["SageMaker.CreateTrainingJob", "DynamoDB.ListTables", ""])
def test_operations_that_are_not_served(engine: Engine, target: str) -> None:
    status, error = posted(engine, target, b"{}")

    assert (status, error["__type"]) == (400, "UnknownOperationException")


# ------------------------------------------------------------------------------------------- what is not there


def test_missing_model(desk: Desk) -> None:
    message = refused(desk, "ValidationException", desk.request("No-Such-Model"))

    assert message == f'Could not find model "{ARN}:model/no-such-model".'


def test_empty_prefix(desk: Desk) -> None:
    desk.put_at("other/a", b"1")
    desk.put_at("in/", b"")

    message = refused(desk, "ValidationException", desk.request(desk.model(desk.models.url("echo"))))

    assert message == (
        f'No S3 objects found under S3 URL "s3://{desk.bucket}/in/" given in input data source. Please ensure that the'
        " bucket exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the role"
        f' "{ROLE}" has "s3:ListBucket" permissions on bucket "{desk.bucket}".'
    )


def test_missing_bucket(desk: Desk, model: str) -> None:
    message = refused(desk, "ValidationException", desk.request(model, S3Uri="s3://no-such-bucket-here/in/"))

    assert 'No S3 objects found under S3 URL "s3://no-such-bucket-here/in/"' in message
    assert message.endswith("Error message from S3: The specified bucket does not exist")


@pytest.mark.parametrize("change", [str, str.upper])
def test_a_name_is_taken_for_ever_whatever_its_case(desk: Desk, model: str, change: Any) -> None:
    name = desk.run(model)["TransformJobName"]

    message = refused(desk, "ResourceInUse", desk.request(model, TransformJobName=change(name)))

    assert message == (
        "Job name must be unique within an AWS account and region, and a job with this name already exists"
        f" ({ARN}:transform-job/{name})"
    )


# --------------------------------------------------------------------------------------- what does not fit together

CSV = {"ContentType": "text/csv", "Accept": "text/csv", "SplitType": "Line", "AssembleWith": "Line"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"MaxPayloadInMB": 101}, "MaxPayloadInMB 101 is greater than the maximum of 100."),
        (
            {"MaxPayloadInMB": 20, "MaxConcurrentTransforms": 6},
            "MaxConcurrentTransforms 6 * MaxPayloadInMB 20 = 120 is greater than the maximum of 100.",
        ),
        ({"InstanceCount": 101}, "InstanceCount 101 is greater than the maximum of 100."),
        (
            CSV | {"DataProcessing": {"JoinSource": "Input"}, "Accept": "application/json"},
            'With JoinSource "Input", Accept "application/json" must match ContentType "text/csv".',
        ),
        (
            {
                "DataProcessing": {"JoinSource": "Input"},
                "ContentType": "application/jsonlines",
                "Accept": "application/jsonlines",
                "SplitType": "Line",
            },
            'With JoinSource "Input", AssembleWith "None" must match SplitType "Line".',
        ),
        (
            {"DataProcessing": {"OutputFilter": "$[0]"}, "ContentType": "text/csv", "Accept": "image/png"},
            'With OutputFilter, Accept "image/png" must be one of text/csv, application/json, application/jsonlines.',
        ),
        (
            {"DataProcessing": {"InputFilter": "$[0]"}, "ContentType": "text/csv", "Accept": "application/json"},
            'With DataProcessing on text/csv, SplitType "None" must be "Line".',
        ),
        (
            CSV
            | {
                "DataProcessing": {"OutputFilter": "$['account_id','SageMakerOutput']"},
                "ContentType": "application/jsonlines",
                "Accept": "application/jsonlines",
            },
            (
                "Invalid OutputFilter: \"$['account_id','SageMakerOutput']\". Unexpected \"_\" in JsonPath. Supported"
                " operators for \"application/jsonlines\" are ['$', '[', ']', '*', '.', ' ', ',', ':', '-', ''']."
            ),
        ),
        (
            {"InstanceType": "ml.g4dn.xlarge", "VolumeKmsKeyId": "key"},
            "VolumeKmsKeyId is not supported for ml.g4dn instances: their local storage has its own encryption.",
        ),
        ({"S3DataType": "AugmentedManifestFile"}, "Batch Transform does not support S3DataType AugmentedManifestFile."),
        ({"S3DataType": "Converse"}, "Batch Transform does not support S3DataType Converse."),
        (
            {"DataCaptureConfig": {"DestinationS3Uri": "s3://bucket/capture", "GenerateInferenceId": True}},
            'With GenerateInferenceId, Accept "" must be one of text/csv, application/json, application/jsonlines.',
        ),
        (
            {"S3OutputPath": "https://bucket.s3.amazonaws.com/key"},
            (
                "The local engine of airflow-batchtx does not support S3OutputPath"
                ' "https://bucket.s3.amazonaws.com/key":'
                " give it as s3://bucket/key or https://s3.<Region>.amazonaws.com/bucket/key."
            ),
        ),
    ],
)
def test_members_that_do_not_fit_together(desk: Desk, model: str, members: dict[str, Any], message: str) -> None:
    assert refused(desk, "ValidationException", desk.request(model, **members)) == message


def test_all_misfits_in_one_message(desk: Desk, model: str) -> None:
    request = desk.request(model, MaxPayloadInMB=101, InstanceCount=101, S3DataType="Converse")

    message = refused(desk, "ValidationException", request)

    assert all(name in message for name in ("MaxPayloadInMB", "InstanceCount", "Converse"))


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            {
                "PrimaryContainer": {
                    "Image": "image",
                    "ModelDataSource": {
                        "S3DataSource": {"S3Uri": "s3://b/k/", "S3DataType": "S3Prefix", "CompressionType": "None"}
                    },
                }
            },
            (
                "SageMaker Batch currently doesn't support Model entity with container definitions which use"
                " ModelDataSource attribute"
            ),
        ),
        (
            {"PrimaryContainer": {"Image": "image", "Mode": "MultiModel", "ModelDataUrl": "s3://b/models/"}},
            "Batch Transform does not support multi-model containers.",
        ),
        (
            {"PrimaryContainer": {"Image": "some/image:1"}},
            (
                'The local engine of airflow-batchtx does not support the image "some/image:1"'
                " without ModelDataUrl: give a"
                " ModelDataUrl whose archive holds code/inference.py, or an Image that is the http://"
                " URL of a running model"
                " server, or start the engine with --docker."
            ),
        ),
    ],
)
def test_models_that_a_job_cannot_run(desk: Desk, model: str, definition: dict[str, Any], message: str) -> None:
    name = f"for-{model}"
    desk.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, **definition)

    assert refused(desk, "ValidationException", desk.request(name)) == message


def test_nothing_refused_is_kept(desk: Desk, model: str) -> None:
    request = desk.request(model, MaxPayloadInMB=101)

    refused(desk, "ValidationException", request)

    with pytest.raises(ClientError):
        desk.client.describe_transform_job(TransformJobName=request["TransformJobName"])
