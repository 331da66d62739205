from __future__ import annotations

from typing import Any

from airflow_batchtx.engine.order import ContainerOrder, Event, EventKind, Order, terms
from airflow_batchtx.engine.stores import S3Address
from airflow_batchtx.planning.settings import Wishes
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.enums import AssembleWith, BatchStrategy, CompressionType, JoinSource, SplitType
from airflow_batchtx.spec.uri import S3Uri

STARTED = 1674264544.9
BARE: dict[str, Any] = {"TransformInput": {}, "TransformOutput": {}}
FULL: dict[str, Any] = {
    "MaxConcurrentTransforms": 2,
    "MaxPayloadInMB": 0,
    "BatchStrategy": "SingleRecord",
    "ModelClientConfig": {"InvocationsTimeoutInSeconds": 7, "InvocationsMaxRetries": 0},
    "TransformInput": {"ContentType": "text/csv", "CompressionType": "Gzip", "SplitType": "Line"},
    "TransformOutput": {"Accept": "application/json", "AssembleWith": "Line", "KmsKeyId": "key"},
    "DataCaptureConfig": {"DestinationS3Uri": "s3://b/c", "GenerateInferenceId": True},
    "DataProcessing": {"InputFilter": "$[1]", "JoinSource": "Input", "OutputFilter": "$[2]"},
}


def test_what_a_request_leaves_out_is_as_aws_says() -> None:
    found = terms(BARE, started=STARTED)

    assert found.wishes == Wishes()
    assert (found.invocation_seconds, found.invocation_retries) == (600, 3)
    assert (found.input_filter, found.join_source, found.output_filter) == ("$", JoinSource.NONE, "$")
    assert (found.content_type, found.accept, found.kms_key_id) == (None, None, None)
    assert (found.split_type, found.assemble_with) == (SplitType.NONE, AssembleWith.NONE)
    assert found.compression_type is CompressionType.NONE
    assert found.inference_time is None


def test_what_a_request_says_is_kept() -> None:
    found = terms(FULL, started=STARTED)

    assert found.wishes == Wishes(2, 0, BatchStrategy.SINGLE_RECORD)
    assert (found.invocation_seconds, found.invocation_retries) == (7, 0)
    assert (found.input_filter, found.join_source, found.output_filter) == ("$[1]", JoinSource.INPUT, "$[2]")
    assert (found.content_type, found.accept, found.kms_key_id) == ("text/csv", "application/json", "key")
    assert found.inference_time == "2023-01-21T01:29:04Z"


def test_an_order_goes_through_the_wire() -> None:
    transfer = Transfer(S3Uri("b", "in/ü\n"), S3Uri("b", "out/ü\n.out"))
    for request in (BARE, FULL):
        order = Order(
            containers=(ContainerOrder(image="i", log="/l", model_dir=None, environment={"A": "1\n2"}),),
            terms=terms(request, started=STARTED),
            transfers=(transfer,),
            s3=S3Address("http://127.0.0.1:1", "us-east-1", made_up=True),
            ping_seconds=3.0,
        )

        line = order.to_json()

        assert "\n" not in line
        assert Order.from_json(line) == order


def test_an_event_goes_through_the_wire() -> None:
    event = Event(EventKind.DATA_LOG, "two\nlines")

    assert Event.from_json(event.to_json()) == event
