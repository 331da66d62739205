"""TransformJob: what is refused, what is let through, and the way to a request and back."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import BatchTransformError, InvalidJob
from airflow_batchtx.spec.job import UnknownToThisVersion, check
from airflow_batchtx.spec.members import BY_NAME, MEMBERS
from airflow_batchtx.spec.prepared import INPUT_PATH, PreparedInput, settled
from airflow_batchtx.spec.wire import at, coerced, put

GOOD: dict[str, Any] = {
    "model_name": "churn",
    "input": "s3://bucket/in/",
    "output": "s3://bucket/out/",
    "instance_type": "ml.m5.large",
}
PREPARED = PreparedInput(
    input="s3://bucket/in/shards/", manifest="s3://bucket/in/manifest.json", content_type="text/csv",
    split_type="Line", assemble_with="Line", shards=3, rows=99,
)  # fmt: skip


class Later:
    """Stands for an XComArg."""

    def __repr__(self) -> str:
        return "Later()"

    def resolve(self, context: Any) -> Any:
        return context


def fields_of(caught: pytest.ExceptionInfo[InvalidJob]) -> set[str]:
    return {problem.field.partition(" ")[0] for problem in caught.value.problems}


def shown(value: Any) -> str:
    """A name for a case that is the same in every process."""
    return " ".join(sorted(value)) if isinstance(value, set) else str(value)[:60]


# One row a rule: what is written, and which fields the complaint names.
REFUSED: list[tuple[dict[str, Any], set[str]]] = [
    ({"name": "--_"}, {"name"}),
    ({"name": 7}, {"name"}),
    ({"model_name": ""}, {"model_name"}),
    ({"model_name": None}, {"model_name"}),
    ({"model_name": "a_b"}, {"model_name"}),
    ({"input": "bucket/in/"}, {"input"}),
    ({"input": "https://bucket/in/"}, {"input"}),
    ({"input": "s3://"}, {"input"}),
    ({"input": 7}, {"input"}),
    ({"input": {"uri": "s3://bucket/in/"}}, {"input"}),
    ({"input": []}, {"input"}),
    ({"input": ["s3://bucket/a/", "bucket/b/"]}, {"input"}),
    ({"input": ["s3://bucket/a/", 7]}, {"input"}),
    ({"input": ["s3://bucket/a/", "s3://bucket/b/", "s3://bucket/a/"]}, {"input"}),
    ({"input": ["s3://bucket/a/", "s3://other/b/"]}, {"input"}),
    ({"input": ["s3://bucket/" + "x" * 1024]}, {"input"}),
    ({"input": ["{{ a }}", Later(), "b"]}, {"input"}),
    ({"input": ["s3://bucket/a.json"], "s3_data_type": "ManifestFile"}, {"input"}),
    ({"output": "s3:/bucket"}, {"output"}),
    ({"output": "s3://bucket/" + "x" * 1024}, {"output"}),
    ({"instance_type": "m5.large"}, {"instance_type"}),
    ({"instance_type": "ml.huge"}, {"instance_type"}),
    ({"instance_count": 0}, {"instance_count"}),
    ({"instance_count": 101}, {"instance_count"}),
    ({"instance_count": "2.0"}, {"instance_count"}),
    ({"instance_count": "two"}, {"instance_count"}),
    ({"instance_count": True}, {"instance_count"}),
    ({"max_payload_in_mb": 101}, {"max_payload_in_mb"}),
    ({"max_payload_in_mb": -1}, {"max_payload_in_mb"}),
    ({"max_payload_in_mb": 26, "max_concurrent_transforms": 4}, {"max_concurrent_transforms"}),
    ({"max_concurrent_transforms": -1}, {"max_concurrent_transforms"}),
    ({"invocations_timeout_in_seconds": 3601}, {"invocations_timeout_in_seconds"}),
    ({"invocations_max_retries": 4}, {"invocations_max_retries"}),
    ({"batch_strategy": "Multi"}, {"batch_strategy"}),
    ({"split_type": "line"}, {"split_type"}),
    ({"assemble_with": "RecordIO"}, {"assemble_with"}),
    ({"compression_type": "gzip"}, {"compression_type"}),
    ({"s3_data_type": "AugmentedManifestFile"}, {"s3_data_type"}),
    ({"s3_data_type": "Converse"}, {"s3_data_type"}),
    ({"environment": {"1A": "x"}}, {"environment"}),
    ({"environment": {"A": 1}}, {"environment"}),
    ({"environment": {f"A{n}": "x" for n in range(17)}}, {"environment"}),
    ({"environment": "A=1"}, {"environment"}),
    ({"tags": {"": "x"}}, {"tags"}),
    ({"tags": {"Aws:team": "x"}}, {"tags"}),
    ({"tags": {"a": "x" * 257}}, {"tags"}),
    ({"tags": {"a!": "x"}}, {"tags"}),
    ({"tags": {f"k{n}": "x" for n in range(51)}}, {"tags"}),
    ({"kms_key_id": "key with blanks"}, {"kms_key_id"}),
    ({"transform_ami_version": "al2_ami"}, {"transform_ami_version"}),
    ({"generate_inference_id": True}, {"data_capture_destination"}),
    ({"generate_inference_id": "maybe", "data_capture_destination": "s3://b/c/"}, {"generate_inference_id"}),
    ({"experiment_name": "a b"}, {"experiment_name"}),
    ({"input_filter": "[1:]", "content_type": "application/json"}, {"input_filter"}),
    ({"output_filter": "$['account_id']", "content_type": "application/jsonlines"}, {"output_filter"}),
    ({"output_filter": "$[" + "1," * 40 + "1]", "content_type": "application/json"}, {"output_filter"}),
    ({"input_filter": "$[1:]", "content_type": "image/png", "accept": "text/csv"}, {"content_type"}),
    ({"input_filter": "$[1:]"}, {"content_type", "accept"}),
    ({"input_filter": "$[1:]", "content_type": "text/csv"}, {"split_type"}),
    ({"output_filter": "$[0]", "content_type": "text/csv", "split_type": "Line"}, {"assemble_with"}),
    ({"output_filter": "$[0:2,246:]", "content_type": "application/json"}, {"output_filter"}),
    ({"input_filter": "$.a", "content_type": "text/csv", "split_type": "Line"}, {"input_filter"}),
    ({"input_filter": "$['a','b']", "content_type": "text/csv; header=absent", "split_type": "Line"}, {"input_filter"}),
    ({"output_filter": "$.a", "content_type": "text/csv", "assemble_with": "Line"}, {"output_filter"}),
    ({"input_filter": "$.a", "content_type": True, "accept": "text/csv"}, {"content_type"}),
    ({"volume_kms_key_id": "key", "instance_type": "ml.g4dn.xlarge"}, {"volume_kms_key_id"}),
    ({"join_source": "Input", "content_type": "application/json", "accept": "application/jsonlines"}, {"accept"}),
    ({"join_source": "Input", "split_type": "Line", "content_type": "application/json"}, {"assemble_with"}),
    ({"join_source": "Input", "assemble_with": "Line", "content_type": "application/json"}, {"assemble_with"}),
    ({"join_source": "Input"}, {"content_type", "accept"}),
]  # fmt: skip


@pytest.mark.parametrize(("change", "names"), REFUSED, ids=shown)
def test_refused(change: dict[str, Any], names: set[str]) -> None:
    with pytest.raises(InvalidJob) as caught:
        TransformJob(**{**GOOD, **change})

    assert fields_of(caught) == names
    assert all(problem.rule and problem.remedy for problem in caught.value.problems)


ACCEPTED: list[dict[str, Any]] = [
    {},
    {"instance_count": "2"},
    {"max_payload_in_mb": 0, "max_concurrent_transforms": 64},
    {"max_payload_in_mb": 1, "max_concurrent_transforms": 64},
    {"max_concurrent_transforms": 64},  # the container may say that its payloads are small
    {"batch_strategy": "SingleRecord", "split_type": "None"},  # an official notebook does so
    {"input": "s3://bucket/data/part-"},
    {"input": "s3://bucket"},
    {"input": ["s3://bucket/a/"]},
    {"input": "https://s3.eu-west-1.amazonaws.com/bucket/a/"},
    {"output": "https://s3.amazonaws.com/bucket"},
    {"name": "daily_churn"},  # what it is for is to begin a name, of which it is made a part
    {"name": "{{ dag.dag_id }}.é"},
    {"name": "a" * 250},
    {"input": ["s3://bucket/a/", "s3://bucket/a/b/", "s3://bucket"]},
    {"input": ("s3://bucket/a/", "s3://bucket/b.csv")},
    {"input": ["s3://bucket/a/", "s3://{{ var.value.bucket }}/b/"]},
    {"input": ["s3://bucket/a/", Later()]},
    {"input": PREPARED, "join_source": "Input", "input_filter": "$[1:]"},
    {"input": PREPARED.to_dict(), "join_source": "Input"},
    {"input": Later(), "join_source": "Input", "assemble_with": "Line"},
    {
        "join_source": "Input", "split_type": "Line", "assemble_with": "Line",
        "content_type": "text/csv", "accept": "text/csv; charset=utf-8",
    },
    {
        "input_filter": "$[:14]", "output_filter": "$['class']", "content_type": "text/csv",
        "accept": "application/json", "split_type": "Line",
    },
    {"output_filter": "$[0, -1]", "content_type": "text/csv", "assemble_with": "Line"},
    {"input_filter": "$[*]", "content_type": "text/csv", "split_type": "Line"},
    {"output_filter": "$[:5]", "content_type": "text/csv", "assemble_with": "Line"},
    {"input_filter": "$[0:2].[1:3]", "content_type": "application/json"},
    {"input_filter": "$.a", "content_type": "application/json"},
    {"input": Later(), "input_filter": "$[1:]"},
    {"input": PREPARED, "volume_kms_key_id": "key", "instance_type": "ml.m5.large"},
    {"environment": {"A": ""}, "tags": {"cost center": "a/b@c", "leer": ""}},
    {"data_capture_destination": "s3://b/c/", "generate_inference_id": "True"},
]  # fmt: skip


@pytest.mark.parametrize("change", ACCEPTED, ids=shown)
def test_accepted(change: dict[str, Any]) -> None:
    TransformJob(**{**GOOD, **change})


def test_all_problems_are_told_at_once_and_survive_pickling() -> None:
    with pytest.raises(InvalidJob) as caught:
        TransformJob(**{**GOOD, "model_name": "a_b", "instance_count": 0, "tags": {"": "x"}, "split_type": "Row"})

    assert fields_of(caught) == {"model_name", "instance_count", "tags", "split_type"}
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, BatchTransformError)
    assert again.problems == caught.value.problems
    assert str(again) == str(caught.value)


def test_values_of_the_environment_are_never_told() -> None:
    with pytest.raises(InvalidJob) as caught:
        TransformJob(**{**GOOD, "environment": {"bad-name": "hunter2", "GOOD": "hunter2"}})

    assert "bad-name" in str(caught.value)
    assert "hunter2" not in str(caught.value) + repr(caught.value)
    assert "hunter2" not in repr(TransformJob(**{**GOOD, "environment": {"GOOD": "hunter2"}}))

    with pytest.raises(InvalidJob) as caught:  # what a template may render to
        TransformJob(**{**GOOD, "environment": "{'TOKEN': 'hunter2'}"})
    assert "hunter2" not in str(caught.value)


def test_templates_and_references_wait_for_their_values() -> None:
    later = Later()
    job = TransformJob(
        model_name="{{ params.model }}", input=later, output="s3://{{ var.value.bucket }}/{{ ds }}/",
        instance_type="{{ params.type }}", instance_count="{{ params.n }}", environment={"DAY": "{{ ds }}"},
        tags={"run": "{{ run_id }}"}, max_payload_in_mb="{{ params.mb }}", max_concurrent_transforms=50,
    )  # fmt: skip

    request = job.to_request()

    assert request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] is later
    assert request["TransformResources"] == {"InstanceType": "{{ params.type }}", "InstanceCount": "{{ params.n }}"}
    put(request, "MaxPayloadInMB", "6")
    with pytest.raises(InvalidJob) as caught:
        check(request)
    assert caught.value.problems[0].value == 300


def test_rendered_texts_become_numbers_and_unset_ones_vanish() -> None:
    request = TransformJob(**GOOD).to_request()
    put(request, "TransformResources.InstanceCount", " 3 ")
    put(request, "MaxPayloadInMB", "None")
    put(request, "ModelClientConfig.InvocationsTimeoutInSeconds", "")
    put(request, "DataCaptureConfig.GenerateInferenceId", "false")
    put(request, "TransformInput.SplitType", "None")
    put(request, "TransformInput.ContentType", "None")
    put(request, "TransformOutput.Accept", "")
    put(request, "ModelName", "None")
    put(request, "Environment", '{"A": "1"}')
    put(request, "Tags", '{"team": "ml"}')

    done = coerced(request)

    assert done["TransformResources"]["InstanceCount"] == 3
    assert "MaxPayloadInMB" not in done
    assert done["ModelClientConfig"] == {}
    assert done["DataCaptureConfig"] == {"GenerateInferenceId": False}
    assert done["TransformInput"]["SplitType"] == "None"
    assert "ContentType" not in done["TransformInput"]
    assert "Accept" not in done["TransformOutput"]
    assert done["ModelName"] == "None", "a member that a job must have is not left out"
    assert done["Environment"] == {"A": "1"}
    assert done["Tags"] == [{"Key": "team", "Value": "ml"}]
    assert request["TransformResources"]["InstanceCount"] == " 3 "


def test_a_prepared_input_fills_what_the_job_leaves_out() -> None:
    request, prepared = settled(TransformJob(**{**GOOD, "input": PREPARED, "accept": "application/json"}).to_request())

    assert prepared == (PREPARED,)
    assert request["TransformInput"] == {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in/shards/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    }
    assert request["TransformOutput"]["Accept"] == "application/json"
    assert request["TransformOutput"]["AssembleWith"] == "Line"


def test_several_prepared_inputs_are_a_list_of_their_prefixes() -> None:
    other = replace(PREPARED, input="s3://bucket/other/", manifest="s3://bucket/other.json")

    request, prepared = settled(TransformJob(**{**GOOD, "input": [PREPARED, other]}).to_request())

    assert prepared == (PREPARED, other)
    assert request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == [PREPARED.input, other.input]
    assert request["TransformInput"]["ContentType"] == request["TransformOutput"]["Accept"] == "text/csv"


class Rendered(Sequence[Any]):
    """What Airflow gives for the result of a mapped task: neither a list nor a tuple."""

    def __init__(self, *values: Any) -> None:
        self._values = values

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]

    def __len__(self) -> int:
        return len(self._values)


def test_what_a_mapped_task_returned_is_a_list() -> None:
    request = TransformJob(**GOOD).to_request()
    put(request, INPUT_PATH, Rendered(PREPARED.to_dict()))

    assert settled(coerced(request))[1] == (PREPARED,)


def test_objects_that_are_sent_whole_say_nothing_of_the_answers() -> None:
    images = replace(PREPARED, content_type="image/png", split_type="None", assemble_with="None")

    request = settled(TransformJob(**{**GOOD, "input": images}).to_request())[0]

    assert (request["TransformInput"]["ContentType"], request["TransformInput"]["SplitType"]) == ("image/png", "None")
    assert "Accept" not in request["TransformOutput"]


@pytest.mark.parametrize(
    ("other", "rules"),
    [
        ({"content_type": "image/png", "manifest": "s3://bucket/2.json"},
            ["must have one content_type, not text/csv, image/png"]),
        ({"split_type": "None", "assemble_with": "None", "manifest": "s3://bucket/2.json"},
            ["must have one split_type, not Line, None", "must have one assemble_with, not Line, None"]),
        ({}, [f"{PREPARED.manifest} is there twice"]),
    ],
    ids=["content type", "split type", "twice"],
)  # fmt: skip
def test_prepared_inputs_that_are_not_one_jobs_are_refused(other: dict[str, str], rules: list[str]) -> None:
    with pytest.raises(InvalidJob) as caught:
        TransformJob(**{**GOOD, "input": [PREPARED, replace(PREPARED, **other)]})

    assert [problem.rule for problem in caught.value.problems] == rules


def test_prepared_inputs_and_addresses_are_not_one_list() -> None:
    with pytest.raises(InvalidJob) as caught:
        TransformJob(**{**GOOD, "input": [PREPARED, "s3://bucket/a/"]})

    assert [problem.rule for problem in caught.value.problems] == [
        "must be S3 URIs, or else what PrepareInputOperators returned, all of them"
    ]


@pytest.mark.parametrize("form", [list, tuple])
@pytest.mark.parametrize("prefixes", [["s3://bucket/a/"], ["s3://bucket/a/", "s3://bucket/b/"]], ids=len)
def test_a_list_of_prefixes_stays_one(prefixes: list[str], form: Callable[[list[str]], Any]) -> None:
    request, prepared = settled(TransformJob(**{**GOOD, "input": form(prefixes)}).to_request())

    assert prepared == ()
    assert request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == prefixes


def test_everything_that_is_wrong_with_a_list_is_told_at_once() -> None:
    with pytest.raises(InvalidJob) as caught:
        TransformJob(**{**GOOD, "input": ["s3://a/x", "x", "s3://a/x", "s3://b/y"]})

    assert [problem.rule for problem in caught.value.problems] == [
        "'x' must be s3://bucket/key, or https://s3.<Region>.amazonaws.com/bucket/key",
        "'s3://a/x' is there twice",
        "must be in one bucket, not in a, b",
    ]


def test_a_plain_dict_keeps_members_that_are_not_known_here() -> None:
    request = {**TransformJob(**GOOD).to_request(), "BrandNew": {"a": 1}}

    with pytest.warns(UnknownToThisVersion, match="BrandNew"):
        check(request)

    assert settled(request)[0]["BrandNew"] == {"a": 1}
    assert coerced(request)["BrandNew"] == {"a": 1}


def test_a_slip_in_a_dict_is_named() -> None:
    request = TransformJob(**GOOD).to_request()
    request["TransformResource"] = request.pop("TransformResources")

    with pytest.raises(InvalidJob) as caught:
        check(request)

    assert fields_of(caught) == {"instance_type", "instance_count"}
    with pytest.raises(InvalidJob):
        TransformJob.from_request(request)


def test_an_instance_type_newer_than_botocore_is_let_through_with_a_warning() -> None:
    with pytest.warns(UnknownToThisVersion, match=r"ml\.m9\.large"):
        TransformJob(**{**GOOD, "instance_type": "ml.m9.large"})


def test_fields_are_the_members() -> None:
    assert {field.name for field in fields(TransformJob)} == {member.name for member in MEMBERS}


KNOWN = {
    name: st.sampled_from(BY_NAME[name].values)
    for name in ("batch_strategy", "compression_type", "split_type", "assemble_with")
} | {
    "instance_count": st.integers(1, 100),
    "max_payload_in_mb": st.integers(0, 100),
    "invocations_max_retries": st.integers(0, 3),
    "name": st.from_regex(r"[a-zA-Z0-9](-[a-zA-Z0-9]){0,30}", fullmatch=True),
    "environment": st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text(max_size=20), max_size=16
    ),
    "tags": st.dictionaries(
        st.from_regex(r"[a-z:/.]{1,20}", fullmatch=True), st.from_regex(r"[\w .@]{0,20}", fullmatch=True), max_size=5
    ),
}  # fmt: skip


@given(st.fixed_dictionaries({}, optional=KNOWN))
def test_to_a_request_and_back(values: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job = TransformJob(**GOOD, **values)

        assert TransformJob.from_request(job.to_request()) == job


STEPS = sorted({step for member in MEMBERS for step in member.path.split(".")})
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(STEPS), inner),
)


@given(st.dictionaries(st.sampled_from(STEPS), NONSENSE))
@pytest.mark.filterwarnings("ignore::airflow_batchtx.spec.job.UnknownToThisVersion")
def test_checks_never_crash_on_nonsense(nonsense: dict[str, Any]) -> None:
    with pytest.raises(InvalidJob):
        check(nonsense)


RENDERED: list[tuple[str, Any]] = [
    ("['s3://bucket/a/', 's3://bucket/b.csv']", ["s3://bucket/a/", "s3://bucket/b.csv"]),
    (' ["s3://bucket/a/"]\n', ["s3://bucket/a/"]),
    (str(PREPARED.to_dict()), PREPARED.to_dict()),
    ("s3://bucket/a/ ", "s3://bucket/a/ "),
    ("['s3://bucket/a/'", "['s3://bucket/a/'"),
    ("{{ ti.xcom_pull('list') }}", "{{ ti.xcom_pull('list') }}"),
    ("{['a']}", "{['a']}"),
    ("[{{ params.first }}, 's3://bucket/b/']", "[{{ params.first }}, 's3://bucket/b/']"),
]


@pytest.mark.parametrize(("text", "meant"), RENDERED)
def test_a_text_of_inputs_is_what_was_rendered_to_it(text: str, meant: Any) -> None:
    request: dict[str, Any] = {}
    put(request, BY_NAME["input"].path, text)

    assert at(coerced(request), BY_NAME["input"].path) == meant


@pytest.mark.parametrize("text", ["[]", "['s3://bucket/a/', 'no uri']", "['s3://bucket/a/'"])
def test_a_text_of_wrong_inputs_is_refused_as_they_are(text: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        TransformJob(**{**GOOD, "input": text})

    assert fields_of(caught) == {"input"}
