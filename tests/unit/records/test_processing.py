"""What a job's processing decides before the first record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import InvalidJsonPath, MalformedRecord
from airflow_batchtx.records.formats import Stamp
from airflow_batchtx.records.processing import FORMATS, DataProcessing, Processor, media_type
from airflow_batchtx.spec.enums import AssembleWith, JoinSource
from airflow_batchtx.spec.limits import PROCESSED_TYPES

JOIN = DataProcessing(join_source=JoinSource.INPUT)


def test_every_type_that_the_spec_allows_has_a_format() -> None:
    assert sorted(FORMATS) == sorted(PROCESSED_TYPES)


@given(payload=st.binary(), answer=st.binary())
def test_without_processing_all_bytes_pass(payload: bytes, answer: bytes) -> None:
    processor = Processor(DataProcessing(), content_type="image/png")

    assert not processor.reads_records
    assert processor.request(payload) is payload
    assert processor.output(payload, answer) is answer


@pytest.mark.parametrize(
    "processing", [JOIN, DataProcessing(input_filter="$[1:]"), DataProcessing(output_filter="$[0]")], ids=str
)
def test_any_processing_reads_records(processing: DataProcessing) -> None:
    assert Processor(processing, content_type="text/csv", accept="text/csv").reads_records


@pytest.mark.parametrize("member", ["input_filter", "output_filter"])
def test_a_filter_outside_the_subset_fails_before_the_first_request(member: str) -> None:
    with pytest.raises(InvalidJsonPath) as caught:
        Processor(DataProcessing(**{member: "$[0:2,246:]"}), content_type="text/csv", accept="text/csv")

    assert caught.value.path == "$[0:2,246:]"


@pytest.mark.parametrize("content_type", [None, "", "image/png", "application/x-recordio-protobuf"])
@pytest.mark.parametrize("processing", [JOIN, DataProcessing("$[1]"), DataProcessing(output_filter="$[1]")], ids=str)
def test_types_without_records_that_can_be_read_are_refused(
    processing: DataProcessing, content_type: str | None
) -> None:
    with pytest.raises(MalformedRecord):
        Processor(processing, content_type=content_type)


def test_an_answer_is_of_the_input_s_type_where_no_other_is_accepted() -> None:
    processor = Processor(DataProcessing(output_filter="$[0]"), content_type="text/csv")

    assert processor.output(b"1\n", b"a,b\n") == b"a\n"


def test_the_model_is_not_sent_what_only_separates_records() -> None:
    processor = Processor(JOIN, content_type="text/csv", accept="text/csv", assemble_with=AssembleWith.LINE)

    assert processor.request(b"1,2\r\n\r\n\n3,4\r\n") == b"1,2\r\n3,4\r\n"


def test_a_first_blank_line_is_not_sent_either() -> None:
    assert Processor(JOIN, content_type="text/csv", accept="text/csv").request(b"\n1,2\n") == b"1,2\n"


def test_a_document_is_sent_as_it_is() -> None:
    document = b'{\n\n"b": 1,\n "a": 2}\n'

    assert Processor(JOIN, content_type="application/json", accept="application/json").request(document) == document


@pytest.mark.parametrize(
    ("written", "read"),
    [("text/csv", "text/csv"), ("Text/CSV ; charset=utf-8", "text/csv"), (None, ""), ("", "")],
)
def test_media_types_are_compared_without_parameters(written: str | None, read: str) -> None:
    assert media_type(written) == read


def test_a_stamp_reads_records_of_the_accepted_type() -> None:
    ids = iter(["one", "two"])
    processor = Processor(DataProcessing(), content_type="image/png", accept="text/csv", stamp=Stamp(ids.__next__, "t"))

    assert processor.reads_records
    assert processor.request(b"\x89PNG") == b"\x89PNG"
    assert processor.output(b"\x89PNG", b"1\n2\n") == b"1,one,t\n2,two,t\n"


def test_types_without_records_cannot_be_stamped() -> None:
    with pytest.raises(MalformedRecord):
        Processor(DataProcessing(), content_type="text/csv", accept="image/png", stamp=Stamp(str, "t"))
