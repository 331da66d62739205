"""The operations themselves, without a socket: held to botocore's service model and to plain oracles."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batchtx.engine import protocol
from airflow_batchtx.engine.api import Api
from airflow_batchtx.engine.operations import OPERATIONS
from airflow_batchtx.engine.registry import Job, Registry
from airflow_batchtx.engine.shapes import Shapes, compiled, service_model
from airflow_batchtx.errors import RequestRefused
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.limits import LOCAL_STORAGE
from tests.fakes import InMemoryStore

MODEL = service_model()
SHAPES = Shapes(MODEL)
Document = dict[str, Any]


class NoJobs:
    """Runs nothing: jobs stay as they were created."""

    def start(self, job: Job) -> None:
        return

    def stop(self, job: Job) -> None:
        return


def an_api(jobs: Any = None) -> Api:
    """Make an engine's API with a store of one object and the model `model`; its clock ticks at every look."""
    clock = map(float, itertools.count(1_700_000_000))
    registry = Registry(Path(":memory:"), clock.__next__)
    api = Api("us-east-1", registry, InMemoryStore({"s3://bucket/in/a": b"1"}), jobs or NoJobs())
    call(api, "CreateModel", {"ModelName": "model", "PrimaryContainer": {"Image": "http://127.0.0.1:1"}})
    return api


def call(api: Api, operation: str, request: Mapping[str, Any]) -> Document:
    """Call as the server does, through JSON both ways; the answer has no member that the service model lacks."""
    answer = OPERATIONS[operation](api, SHAPES.read(operation, json.loads(json.dumps(request))))
    found: Document = json.loads(protocol.success(answer, "id").body or b"{}")
    assert_known(found, MODEL.operation_model(operation).output_shape)
    return found


def assert_known(value: Any, shape: Shape | None) -> None:
    if isinstance(value, dict) and not isinstance(shape, MapShape):
        assert isinstance(shape, StructureShape) or not value
        for name, member in value.items():
            assert_known(member, shape.members[name])
    elif isinstance(value, list):
        for item in value:
            assert_known(item, shape.member)


def refused(api: Api, operation: str, request: Mapping[str, Any]) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        call(api, operation, request)
    return caught.value


# -------------------------------------------------------------------------------------- any request that is valid


PRINTED = st.characters(codec="utf-8", exclude_categories=["C"])


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """Draw what a shape of the service model allows."""
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 50)
    match shape:
        case StructureShape():
            members = {name: values(member) for name, member in shape.members.items()}
            optional = {name: members.pop(name) for name in list(members) if name not in shape.required_members}
            return st.fixed_dictionaries(members, optional=optional)
        case ListShape():
            return st.lists(values(shape.member), min_size=least, max_size=min(most, 3))
        case MapShape():
            return st.dictionaries(values(shape.key), values(shape.value), min_size=least, max_size=3)
        case StringShape():
            return texts(shape, least, most)
    kinds = {"boolean": st.booleans(), "integer": st.integers(least, most), "timestamp": st.floats(1e9, 2e9)}
    return kinds[shape.type_name]


def texts(shape: StringShape, least: int, most: int) -> st.SearchStrategy[str]:
    if shape.enum:
        return st.sampled_from(shape.enum)
    if pattern := shape.metadata.get("pattern"):
        found = st.from_regex(compiled(pattern), fullmatch=True, alphabet=PRINTED)
        return found.filter(lambda text: least <= len(text) <= most)
    return st.text(PRINTED, min_size=least, max_size=min(most, 12))


def set_in(request: Document, path: str, value: Any) -> None:
    """Set a member, in the structures on the way to it that are there."""
    *way, name = path.split(".")
    for part in way:
        request = request.setdefault(part, {})
    request[name] = value


URIS = st.sampled_from(["s3://bucket", "s3://bucket/out", "s3://bucket/out/", "https://s3.amazonaws.com/bucket/out"])


@st.composite
def transform_jobs(draw: st.DrawFn) -> Document:
    """Draw a CreateTransformJob that AWS and the engine take: the model's shapes, made to fit together."""
    shape = MODEL.operation_model("CreateTransformJob").input_shape
    assert shape is not None
    request: Document = draw(values(shape))
    request["ModelName"] = "model"
    set_in(
        request, "TransformInput.DataSource", {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}
    )
    set_in(request, "TransformOutput.S3OutputPath", draw(URIS))
    if "DataCaptureConfig" in request:
        set_in(request, "DataCaptureConfig.DestinationS3Uri", draw(URIS))
    if "MaxPayloadInMB" in request:
        request["MaxConcurrentTransforms"] = draw(st.integers(0, 100 // max(request["MaxPayloadInMB"], 1)))
    if "DataProcessing" in request or "DataCaptureConfig" in request:
        for side, (kind, cut) in {"Input": ("ContentType", "SplitType"), "Output": ("Accept", "AssembleWith")}.items():
            set_in(request, f"Transform{side}.{kind}", "application/jsonlines; charset=utf-8")
            set_in(request, f"Transform{side}.{cut}", "Line")
    for name in {"InputFilter", "OutputFilter"} & request.get("DataProcessing", {}).keys():
        request["DataProcessing"][name] = draw(st.sampled_from(["$", "$.id", "$['a','b']", "$[0:-1]"]))
    if request["TransformResources"]["InstanceType"].split(".")[1] in LOCAL_STORAGE:
        request["TransformResources"].pop("VolumeKmsKeyId", None)
    request["Tags"] = list({tag["Key"]: tag for tag in request.get("Tags", ()) if tag["Key"][:4] != "aws:"}.values())
    return request


FILLED: Document = {
    "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
    "TransformInput": {"CompressionType": "None", "SplitType": "None"},
    "TransformOutput": {"AssembleWith": "None", "KmsKeyId": ""},
}


@settings(max_examples=40)
@given(transform_jobs())
def test_any_job_is_described_as_it_was_created_and_with_what_aws_fills_in(request_: Document) -> None:
    api = an_api()

    arn = call(api, "CreateTransformJob", request_)["TransformJobArn"]
    found = call(api, "DescribeTransformJob", {"TransformJobName": request_["TransformJobName"]})

    name = request_["TransformJobName"]
    assert arn == f"arn:aws:sagemaker:us-east-1:123456789012:transform-job/{name.lower()}"
    assert found.pop("CreationTime") > 1_700_000_000
    said = {name: value for name, value in request_.items() if name != "Tags"}
    filled = {name: defaults | request_.get(name, {}) for name, defaults in FILLED.items()}
    assert found == said | filled | {"TransformJobArn": arn, "TransformJobStatus": "InProgress"}
    assert call(api, "ListTags", {"ResourceArn": arn})["Tags"] == request_["Tags"]


@st.composite
def models(draw: st.DrawFn) -> Document:
    shape = MODEL.operation_model("CreateModel").input_shape
    assert shape is not None
    request: Document = draw(values(shape))
    containers = request.pop("Containers", None) or []
    one = request.pop("PrimaryContainer", {})
    request |= {"Containers": containers} if containers else {"PrimaryContainer": one}
    for number, container in enumerate(containers or [one]):
        container.pop("ModelPackageName", None)
        container |= {"Image": "image", "ContainerHostname": f"host-{number}"}
    request["Tags"] = list({tag["Key"]: tag for tag in request.get("Tags", ()) if tag["Key"][:4] != "aws:"}.values())
    return request


@settings(max_examples=25)
@given(models())
def test_any_model_is_described_as_it_was_created_and_with_what_aws_fills_in(request_: Document) -> None:
    api = an_api()
    call(api, "DeleteModel", {"ModelName": "model"})

    arn = call(api, "CreateModel", request_)["ModelArn"]
    found = call(api, "DescribeModel", {"ModelName": request_["ModelName"]})

    del found["CreationTime"]
    said = {name: value for name, value in request_.items() if name != "Tags"}
    single = {"Mode": "SingleModel"}
    if "Containers" in said:
        said["Containers"] = [single | container for container in said["Containers"]]
    else:
        said["PrimaryContainer"] = single | said["PrimaryContainer"]
    assert found == {"EnableNetworkIsolation": False, **said, "ModelArn": arn}


# ------------------------------------------------------------------------------------ every constraint of the model

PATTERNED = [
    "a",
    "s3://b/k",
    "1",
    "arn:aws:iam::123456789012:role/name",
    "arn:aws:sagemaker:r:123456789012:model/m",
    "/metrics",
    "1.0",
    "1.0.0",
    "text/csv",
    f"sha256:{64 * '0'}",
    "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1",
]
UNFIT = ["!", " ", "a b", "\x00", "-"]


def sample(shape: Shape) -> Any:
    """Give a value with every member that a shape knows."""
    match shape:
        case StructureShape():
            return {name: sample(member) for name, member in shape.members.items()}
        case ListShape():
            return [sample(shape.member)] * max(shape.metadata.get("min", 1), 1)
        case MapShape():
            return {sample(shape.key): sample(shape.value)}
        case StringShape():
            return (
                shape.enum[0]
                if shape.enum
                else next(text for text in PATTERNED if fits(text, shape)).ljust(shape.metadata.get("min", 0), "a")
            )
    return {"boolean": True, "timestamp": 1.0}.get(shape.type_name, max(shape.metadata.get("min", 1), 1))


def fits(text: str, shape: StringShape) -> bool:
    pattern = shape.metadata.get("pattern")
    return len(text) <= shape.metadata.get("max", 99) and (not pattern or bool(compiled(pattern).fullmatch(text)))


Breach = tuple[tuple[Any, ...], Any, str]


def breaches(shape: Shape, path: tuple[Any, ...] = ()) -> Iterator[Breach]:
    """Yield a value that breaks each constraint below a shape, where it goes, and the rule in the service's words."""
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                yield from breaches(member, (*path, name))
        case ListShape():
            yield from of_size(shape, path, lambda size: [sample(shape.member)] * size)
            # What is wrong with a text in a list is said of the list.
            listed = isinstance(shape.member, StringShape)
            for inner, value, rule in breaches(shape.member, () if listed else (*path, 0)):
                yield (path, [value], rule) if listed else (inner, value, rule)
        case MapShape():
            yield from of_size(
                shape, path, lambda size: {f"{sample(shape.key)}{at}": sample(shape.value) for at in range(size)}
            )
        case StringShape():
            yield from of_size(shape, path, lambda size: "a" * size)
            yield from of_text(shape, path)
        case _ if shape.type_name == "integer":
            yield from of_size(shape, path, int, "value")


def of_size(
    shape: Shape, path: tuple[Any, ...], make: Callable[[int], Any], measure: str = "length"
) -> Iterator[Breach]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None:
        yield path, make(most + 1), f"Member must have {measure} less than or equal to {most}"
    if least is not None and (least or measure == "value"):
        yield path, make(least - 1), f"Member must have {measure} greater than or equal to {least}"


def of_text(shape: StringShape, path: tuple[Any, ...]) -> Iterator[Breach]:
    if shape.enum:
        yield path, "no such value", f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    pattern = shape.metadata.get("pattern")
    if pattern and (unfit := next((text for text in UNFIT if not compiled(pattern).fullmatch(text)), None)):
        yield path, unfit, f"Member must satisfy regular expression pattern: ^{pattern.removeprefix('^')}"


def every_breach() -> Iterator[Any]:
    for operation in sorted(OPERATIONS):
        shape = MODEL.operation_model(operation).input_shape
        assert shape is not None
        for number, (path, value, rule) in enumerate(breaches(shape)):
            yield pytest.param(operation, path, value, rule, id=f"{operation}-{'.'.join(map(str, path))}-{number}")


def with_value(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy: Any = dict(whole) if isinstance(whole, dict) else list(whole)
    copy[path[0]] = with_value(whole[path[0]], path[1:], value)
    return copy


def shown(path: tuple[Any, ...]) -> str:
    """Write a path as messages do: transformInput.dataSource, tags.1.member.key."""
    return ".".join(f"{part + 1}.member" if isinstance(part, int) else part[0].lower() + part[1:] for part in path)


@pytest.mark.parametrize(("operation", "path", "value", "rule"), every_breach())
def test_every_constraint_of_the_service_model_is_kept(
    operation: str, path: tuple[Any, ...], value: Any, rule: str
) -> None:
    whole = sample(MODEL.operation_model(operation).input_shape)
    SHAPES.read(operation, whole)

    with pytest.raises(RequestRefused) as caught:
        SHAPES.read(operation, with_value(whole, path, value))

    assert caught.value.code == "ValidationException"
    assert f"at '{shown(path)}' failed to satisfy constraint: " in caught.value.detail
    assert rule in caught.value.detail


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_required_member_is_required(operation: str) -> None:
    shape = MODEL.operation_model(operation).input_shape
    assert shape is not None

    for name in shape.required_members:
        error = refused(an_api(), operation, {})
        assert f"Value null at '{shown((name,))}' failed to satisfy constraint: Member must not be null" in error.detail


# ------------------------------------------------------------------------------------------------ order of checks

BARE: Document = {
    "TransformJobName": "job",
    "ModelName": "model",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}},
    "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}
# What is wrong, and what the message says of it, in the order in which it is found out.
FAULTS: list[tuple[str, Any, str]] = [
    ("TransformResources.InstanceType", "nope", "1 validation error detected"),
    ("ModelName", "gone", "Could not find model"),
    ("TransformJobName", "JOB", "Job name must be unique"),
    ("MaxPayloadInMB", 101, "MaxPayloadInMB 101 is greater than"),
    ("TransformInput.DataSource.S3DataSource.S3Uri", "s3://bucket/empty", "No S3 objects found"),
]


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_what_is_wrong_is_found_out_in_this_order(first: int) -> None:
    api = an_api()
    call(api, "CreateTransformJob", BARE)
    request = json.loads(json.dumps({**BARE, "TransformJobName": "other"}))
    for path, value, _ in FAULTS[first:]:
        set_in(request, path, value)

    assert FAULTS[first][2] in refused(api, "CreateTransformJob", request).detail


def test_tags_are_checked_before_a_job_is_kept() -> None:
    api = an_api()
    tags = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]

    assert "Duplicate tag keys found: a." in refused(api, "CreateTransformJob", {**BARE, "Tags": tags}).detail
    assert refused(api, "DescribeTransformJob", {"TransformJobName": "job"}).code == "ValidationException"


def test_a_batch_strategy_needs_no_split_type() -> None:
    assert call(an_api(), "CreateTransformJob", {**BARE, "BatchStrategy": "SingleRecord"})


def test_a_slow_create_of_the_same_name_is_refused_too() -> None:
    """Two requests pass the first look at the name; the registry takes one of them."""

    class Twin(NoJobs):
        def start(self, job: Job) -> None:
            started.append(job.name)

    started: list[str] = []
    api = an_api(Twin())
    taken = api.registry.add_job("us-east-1", "JOB", dict(BARE), api.registry.model("us-east-1", "model"), {})  # type: ignore[arg-type]  # it is there

    error = refused(api, "CreateTransformJob", BARE)

    assert taken is not None
    assert error.code == "ResourceInUse"
    assert started == []


# ---------------------------------------------------------------------------------------------------------- stop


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.STOPPING, JobStatus.STOPPED])
def test_only_a_job_in_progress_can_be_stopped(status: JobStatus) -> None:
    api = an_api()
    call(api, "CreateTransformJob", BARE)
    put_in(api, "job", status)

    error = refused(api, "StopTransformJob", {"TransformJobName": "job"})

    assert error.code == "ValidationException"
    assert error.detail == f"The request was rejected because the transform job is in status {status}"


def test_stop_answers_nothing() -> None:
    api = an_api()
    call(api, "CreateTransformJob", BARE)

    assert call(api, "StopTransformJob", {"TransformJobName": "job"}) == {}
    found = call(api, "DescribeTransformJob", {"TransformJobName": "job"})
    assert found["TransformJobStatus"] == "Stopping"
    assert not {"TransformStartTime", "TransformEndTime", "FailureReason"} & found.keys()


def put_in(api: Api, name: str, status: JobStatus) -> None:
    job = api.registry.job("us-east-1", name)
    assert job is not None
    way = {JobStatus.STOPPED: [JobStatus.STOPPING, JobStatus.STOPPED], JobStatus.IN_PROGRESS: []}.get(status, [status])
    for step in way:
        assert api.registry.move(job, step, "ClientError: why" if step is JobStatus.FAILED else None)


# ---------------------------------------------------------------------------------------------------------- list

STATUSES = list(JobStatus)
NAMES = [f"{letter}-{number}" for number in range(8) for letter in ("b", "A", "c")]


@pytest.fixture(scope="module")
def crowd() -> Api:
    """An API with 24 jobs in every status."""
    api = an_api()
    for number, name in enumerate(NAMES):
        call(api, "CreateTransformJob", {**BARE, "TransformJobName": name})
        put_in(api, name, STATUSES[number % len(STATUSES)])
    return api


def everything(api: Api) -> list[Document]:
    found: list[Document] = call(api, "ListTransformJobs", {"MaxResults": 100})["TransformJobSummaries"]
    return found


def oracle(jobs: list[Document], query: Mapping[str, Any]) -> list[str]:
    """Filter and sort as the API reference says, in the plainest way."""
    spans = {"CreationTime": "CreationTime", "LastModifiedTime": "LastModifiedTime"}
    for member, name in spans.items():
        if (after := query.get(f"{name}After")) is not None:
            jobs = [job for job in jobs if job[member] > after]
        if (before := query.get(f"{name}Before")) is not None:
            jobs = [job for job in jobs if job[member] < before]
    jobs = [job for job in jobs if query.get("NameContains", "") in job["TransformJobName"]]
    jobs = [job for job in jobs if query.get("StatusEquals", job["TransformJobStatus"]) == job["TransformJobStatus"]]
    by = {"Name": "TransformJobName", "Status": "TransformJobStatus"}.get(query.get("SortBy", ""), "CreationTime")

    def position(job: Document) -> tuple[Any, str]:
        value = job[by]
        return (value.lower() if by == "TransformJobName" else value), job["TransformJobName"].lower()

    descending = query.get("SortOrder", "Descending") == "Descending"
    return [job["TransformJobName"] for job in sorted(jobs, key=position, reverse=descending)]


MOMENTS = st.integers(0, 120).map(lambda seconds: 1_700_000_000.0 + seconds)
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "CreationTimeAfter": MOMENTS,
        "CreationTimeBefore": MOMENTS,
        "LastModifiedTimeAfter": MOMENTS,
        "LastModifiedTimeBefore": MOMENTS,
        "NameContains": st.sampled_from(["A", "a", "b-", "1", "no"]),
        "StatusEquals": st.sampled_from([str(status) for status in STATUSES]),
        "SortBy": st.sampled_from(["Name", "CreationTime", "Status"]),
        "SortOrder": st.sampled_from(["Ascending", "Descending"]),
    },
)


@settings(max_examples=60)
@given(query=QUERIES, size=st.sampled_from([1, 5, 23, 24, 100]))
def test_any_list_is_what_a_plain_sort_gives_page_by_page(crowd: Api, query: Document, size: int) -> None:
    expected = oracle(everything(crowd), query)
    seen, token = list[str](), Document()
    for _ in range(len(NAMES) + 1):
        page = call(crowd, "ListTransformJobs", {**query, **token, "MaxResults": size})
        names = [job["TransformJobName"] for job in page["TransformJobSummaries"]]
        assert len(names) <= size
        seen += names
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
        if not token:
            break

    assert seen == expected
    assert not token


def test_a_page_has_ten_jobs_newest_first_unless_asked_otherwise(crowd: Api) -> None:
    page = call(crowd, "ListTransformJobs", {})

    assert [job["TransformJobName"] for job in page["TransformJobSummaries"]] == NAMES[:-11:-1]
    assert page["NextToken"]


def test_only_failed_jobs_give_a_reason_and_only_ended_ones_an_end(crowd: Api) -> None:
    for job in everything(crowd):
        status = job["TransformJobStatus"]
        assert ("FailureReason" in job) is (status == "Failed")
        assert ("TransformEndTime" in job) is (status in ("Completed", "Failed", "Stopped"))
        assert job["LastModifiedTime"] >= job["CreationTime"]


def test_tokens_are_kept_apart(crowd: Api) -> None:
    token = call(crowd, "ListTransformJobs", {"MaxResults": 2})["NextToken"]

    assert call(crowd, "ListTransformJobs", {"MaxResults": 5, "NextToken": token})["TransformJobSummaries"]
    for query in ({"SortBy": "Name", "NextToken": token}, {"NextToken": "made up"}, {"NextToken": "W10="}):
        assert "Invalid NextToken" in refused(crowd, "ListTransformJobs", query).detail
