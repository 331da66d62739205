"""Every golden case through a whole engine: boto3, the API, an instance, a model server that answers as the case says.

Cases of equal members share a job, each as an object of its own: so their number costs little, and an object that fails
is seen to leave the others alone.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.engines import Desk, Engine, Invocation, Models, Reply
from tests.golden_cases import Case, as_bytes, cases

MEMBERS = (
    *("ContentType", "Accept", "SplitType", "AssembleWith", "BatchStrategy", "CompressionType", "DataProcessing"),
    "MaxPayloadInMB",
)
UUID = re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def refusal(case: Case) -> str | None:
    """Give the error of CreateTransformJob, None for a case that runs."""
    return case.get("refused_over_http", case.get("create_refused_with"))


def parameters(*, refused: bool) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases() if refused is (refusal(case) is not None)]


def members(case: Case) -> dict[str, Any]:
    """Give the members of the request that a case speaks of."""
    found = {name: case[name] for name in MEMBERS if case.get(name) is not None}
    if "inference_time" in case:
        found["DataCaptureConfig"] = {"DestinationS3Uri": "s3://captured/", "GenerateInferenceId": True}
    return found


@dataclass
class Outcome:
    """What became of a case: its job, what the model was sent, its output object (None: there is none)."""

    job: dict[str, Any]
    out: bytes | None
    log: str
    sent: list[bytes] = field(default_factory=list)


class Script:
    """A model that answers each object's requests as its case says; one that is sent more than that is told so."""

    def __init__(self, of: dict[str, Case]) -> None:
        self.of = of
        self.sent: dict[str, list[bytes]] = defaultdict(list)

    def __call__(self, invocation: Invocation) -> Reply:
        name = invocation.headers["X-Amzn-Sagemaker-Input-Object"].rpartition("/")[2]
        sent = self.sent[name]
        sent.append(invocation.body)
        answers = self.of[name]["model_answers"] or ()
        return (200, as_bytes(answers[len(sent) - 1])) if len(sent) <= len(answers) else (500, b"no answer is left")


def run_together(desk: Desk, group: list[Case]) -> dict[str, Outcome]:
    """Run cases of equal members as one job."""
    folder, script = uuid4().hex[:8], Script({case["name"]: case for case in group})
    for case in group:
        desk.put_at(f"{folder}/in/{case['name']}", as_bytes(case["input"]))
    request = members(group[0])
    if capture := request.get("DataCaptureConfig"):
        capture["DestinationS3Uri"] = f"s3://{desk.bucket}/{folder}/captured/"
    started = desk.start(
        desk.model(desk.models.scripted(script)),
        **request,
        S3Uri=f"s3://{desk.bucket}/{folder}/in/",
        S3OutputPath=f"s3://{desk.bucket}/{folder}/out/",
        # What does not change an answer is kept short: one request at a time, each of them once.
        MaxConcurrentTransforms=1,
        ModelClientConfig={"InvocationsMaxRetries": 0},
    )
    job = desk.ended(started, seconds=120)
    log, written = desk.data_log(job["TransformJobName"]), desk.keys(f"{folder}/out/")

    def outcome(name: str) -> Outcome:
        key = f"{folder}/out/{name}.out"
        lines = [line for line in log.splitlines() if f"/in/{name}:" in line]
        return Outcome(job, desk.get(key) if key in written else None, "\n".join(lines), script.sent[name])

    return {case["name"]: outcome(case["name"]) for case in group}


@pytest.fixture(scope="module")
def outcomes(engine: Engine, models: Models) -> dict[str, Outcome]:
    bucket = f"golden-{uuid4().hex[:8]}"
    engine.s3.create_bucket(Bucket=bucket)
    desk = Desk(engine, models, bucket)
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases():
        if refusal(case) is None:
            groups[json.dumps(members(case), sort_keys=True)].append(case)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda group: run_together(desk, group), groups.values()))
    return {name: outcome for found in done for name, outcome in found.items()}


def with_given_ids(out: bytes, case: Case, job: dict[str, Any]) -> bytes:
    """Give an output with the ids and the time of its case in place of those that the engine made up."""
    found = UUID.findall(out)
    assert len(set(found)) == len(found) == len(case["inference_ids"])
    given = iter(case["inference_ids"])
    started = job["TransformStartTime"].strftime("%Y-%m-%dT%H:%M:%SZ")
    return UUID.sub(lambda _: next(given).encode(), out).replace(started.encode(), case["inference_time"].encode())


@pytest.mark.parametrize("case", parameters(refused=False))
def test_a_case(case: Case, outcomes: dict[str, Outcome]) -> None:
    found = outcomes[case["name"]]

    sent = [as_bytes(body) for body in case["to_model"] or ()]
    # What stands before a record that fails may not be on its way yet, what stands behind it may be already.
    assert all(one == other for one, other in zip(found.sent, sent, strict=False))
    if "job_fails_with" in case:
        assert found.job["TransformJobStatus"] == "Failed"
        assert found.job["FailureReason"] == "ClientError: See job logs for more information"
        assert case["job_fails_with"] in found.log
        assert found.out is None
    else:
        assert len(found.sent) == len(sent)
        assert found.log == ""
        assert found.out is not None
        out = with_given_ids(found.out, case, found.job) if "inference_time" in case else found.out
        assert out == as_bytes(case["expected_out"])


@pytest.mark.parametrize("case", parameters(refused=True))
def test_what_is_refused_at_create(desk: Desk, case: Case) -> None:
    desk.put_at("in/a", as_bytes(case["input"]))
    request = desk.request(desk.model(desk.models.url("echo")), **members(case))

    with pytest.raises(ClientError) as caught:
        desk.client.create_transform_job(**request)

    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert str(refusal(case)) in caught.value.response["Error"]["Message"]


def test_jobs_fail_only_where_an_object_does(outcomes: dict[str, Outcome]) -> None:
    failing = {case["name"] for case in cases() if "job_fails_with" in case}
    jobs: dict[str, set[str]] = defaultdict(set)
    for name, outcome in outcomes.items():
        jobs[f"{outcome.job['TransformJobName']} {outcome.job['TransformJobStatus']}"].add(name)

    assert all(job.endswith("Failed") is bool(names & failing) for job, names in jobs.items())
