"""What a model's containers are: pipelines of them, their logs, and what code/requirements.txt asks for."""

from __future__ import annotations

import base64
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.engines import ROLE, Desk, Engine, Models
from tests.integration.engine.test_running import CSV

# Says what it was told, in a type of its own.
TELLING = """
import os

def model_fn(model_dir):
    print("this is", os.environ["NAME"])

def transform_fn(model, data, content_type, accept):
    text = data if isinstance(data, str) else data.decode()
    return f"{os.environ['NAME']}({content_type}|{accept}|{text})", os.environ["TYPE"]
"""


LOCATED = """
import os

def model_fn(model_dir):
    return None

def transform_fn(model, data, content_type, accept):
    return os.environ["AWS_REGION"] + " " + os.environ["AWS_DEFAULT_REGION"], accept
"""


def desk_at(engine: Engine, models: Models) -> Desk:
    """Give a desk at an engine that is not everybody's."""
    bucket = f"bucket-{uuid4().hex[:12]}"
    engine.s3.create_bucket(Bucket=bucket)
    return Desk(engine, models, bucket)


def packed(files: dict[str, bytes | str]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, body in files.items():
            data = body if isinstance(body, bytes) else body.encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return archive.getvalue()


def pipeline(desk: Desk, *containers: dict[str, Any]) -> str:
    name = f"pipeline-{uuid4().hex[:8]}"
    desk.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, Containers=list(containers))
    return name


def telling(desk: Desk, name: str, **members: Any) -> dict[str, Any]:
    desk.put_at("telling.tar.gz", packed({"code/inference.py": TELLING}))
    environment = {"NAME": name, "TYPE": f"application/x-{name}"}
    return {"Image": "i", "ModelDataUrl": f"s3://{desk.bucket}/telling.tar.gz", "Environment": environment, **members}


def logs(desk: Desk, job: str) -> dict[str, str]:
    """Give the logs of the only instance of a job by their names behind the instance's."""
    folder = desk.engine.home / "jobs" / "us-east-1" / job / "logs"
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    (instance,) = {name.split("/")[0].removesuffix(".log") for name in found}
    return {name.removeprefix(instance): text for name, text in found.items()}


@pytest.mark.parametrize(
    ("environment", "told"), [({}, "eu-west-1 eu-west-1"), ({"AWS_REGION": "ap-south-1"}, "ap-south-1 eu-west-1")]
)
def test_a_container_is_told_the_region_of_its_job(desk: Desk, environment: dict[str, str], told: str) -> None:
    desk.put_at("in/a.csv", b"1")
    desk.put_at("located.tar.gz", packed({"code/inference.py": LOCATED}))
    client, name = desk.engine.sagemaker("eu-west-1"), f"located-{uuid4().hex[:8]}"
    container = {"Image": "i", "ModelDataUrl": f"s3://{desk.bucket}/located.tar.gz", "Environment": environment}
    client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    client.create_transform_job(**desk.request(name, TransformJobName=name))

    waiter = client.get_waiter("transform_job_completed_or_stopped")
    waiter.wait(TransformJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    assert desk.get("out/a.csv.out").decode() == told


def test_what_one_container_answers_the_next_is_asked(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1")

    job = desk.run(pipeline(desk, telling(desk, "one"), telling(desk, "two"), telling(desk, "three")), **CSV)

    assert job["TransformJobStatus"] == "Completed"
    one = "one(text/csv|application/json|1)"
    two = f"two(application/x-one|application/json|{one})"
    assert desk.get("out/a.csv.out").decode() == f"three(application/x-two|text/csv|{two})\n"


def test_every_container_of_a_pipeline_has_a_log_of_its_own(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1")
    named = [telling(desk, name, ContainerHostname=name) for name in ("clean", "score")]
    unnamed = [telling(desk, name) for name in ("clean", "score")]

    found = [logs(desk, desk.run(pipeline(desk, *both), **CSV)["TransformJobName"]) for both in (named, unnamed)]

    assert [sorted(one) for one in found] == [
        ["/clean.log", "/data-log", "/score.log"],
        ["/container-1.log", "/container-2.log", "/data-log"],
    ]
    assert tuple(found[1][f"/container-{position}.log"].strip() for position in (1, 2)) == (
        "this is clean",
        "this is score",
    )


def test_payloads_are_cut_to_the_wishes_of_the_first_container(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n22\n")
    first = desk.models.url("echo", {"BatchStrategy": "SINGLE_RECORD", "MaxConcurrentTransforms": 2})
    second = desk.models.url("numbered", {"MaxConcurrentTransforms": 9})

    job = desk.run(pipeline(desk, {"Image": first}, {"Image": second}), **CSV)

    settings = "MaxConcurrentTransforms=2, MaxPayloadInMB=6, BatchStrategy=SINGLE_RECORD"
    assert settings in desk.data_log(job["TransformJobName"])
    assert sorted(one.body for one in desk.models.sent_to(second)) == [b"1", b"22"]
    assert desk.get("out/a.csv.out") == b"1\n2\n"


@pytest.mark.parametrize(("position", "asked"), [(0, 0), (1, 1)])
def test_any_container_may_refuse(desk: Desk, position: int, asked: int) -> None:
    desk.put_at("in/a.csv", b"bad")
    urls = [desk.models.url("echo"), desk.models.url("echo")]
    urls.insert(position, desk.models.url("refusing"))

    job = desk.run(pipeline(desk, *({"Image": url} for url in urls)), **CSV)

    assert job["FailureReason"] == "ClientError: See job logs for more information"
    assert "/in/a.csv: ClientError: 400" in desk.data_log(job["TransformJobName"])
    # Nobody behind the one that refuses is asked.
    assert [len(desk.models.sent_to(url)) for url in urls[position + 1 :]] == [0] * (2 - position)


# ------------------------------------------------------------------------------------------------ model packages


def packaged(desk: Desk, *containers: dict[str, Any], **members: Any) -> str:
    """Keep the first version of a new group, approved, of `containers`; give its ARN."""
    group = f"group-{uuid4().hex[:8]}"
    desk.client.create_model_package_group(ModelPackageGroupName=group)
    created = desk.client.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={"Containers": list(containers)},  # type: ignore[typeddict-item]  # plain dicts
        ModelApprovalStatus="Approved",
        **members,
    )
    return created["ModelPackageArn"]


def of_package(desk: Desk, arn: str, **container: Any) -> str:
    name = f"packaged-{uuid4().hex[:8]}"
    primary: Any = {"ModelPackageName": arn, **container}
    desk.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=primary)
    return name


def test_a_package_gives_image_data_and_environment_and_the_model_has_the_last_word(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1")
    arn = packaged(desk, telling(desk, "packaged"))

    desk.run(of_package(desk, arn), **CSV)
    as_packaged = desk.get("out/a.csv.out").decode()
    desk.run(of_package(desk, arn, Environment={"NAME": "other"}), **CSV)

    assert as_packaged == "packaged(text/csv|text/csv|1)\n"
    assert desk.get("out/a.csv.out").decode() == "other(text/csv|text/csv|1)\n"


def test_a_package_of_several_containers_is_a_pipeline(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n22\n")
    arn = packaged(desk, {"Image": desk.models.url("echo")}, {"Image": desk.models.url("numbered")})

    job = desk.run(of_package(desk, arn), **CSV)

    assert job["TransformJobStatus"] == "Completed"
    assert desk.get("out/a.csv.out") == b"1\n2\n"


def test_a_model_may_name_another_specification_of_its_package(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"333\n")
    other = {"Name": "other", "Containers": [{"Image": desk.models.url("numbered")}]}
    arn = packaged(desk, {"Image": desk.models.url("echo")}, AdditionalInferenceSpecifications=[other])

    desk.run(of_package(desk, arn, InferenceSpecificationName="other"), **CSV)

    assert desk.get("out/a.csv.out") == b"3\n"


def test_a_package_that_has_gone_or_lost_its_approval_since(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1")
    arn = packaged(desk, {"Image": desk.models.url("echo")})
    model = of_package(desk, arn)

    desk.client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    rejected = desk.run(model, **CSV)
    desk.client.delete_model_package(ModelPackageName=arn)
    with pytest.raises(ClientError) as refused:
        desk.start(model)

    assert rejected["TransformJobStatus"] == "Completed"
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": f"ModelPackage {arn} does not exist.",
    }


# ---------------------------------------------------------------------------------------------------- contract


def test_204_is_an_empty_answer(desk: Desk) -> None:
    desk.put_at("in/a", b"x")

    job = desk.run(desk.model(desk.models.scripted(lambda _: (204, b""))))

    assert job["TransformJobStatus"] == "Completed"
    assert desk.get("out/a.out") == b""


def test_a_model_that_takes_too_long_is_asked_again_and_is_to_blame(desk: Desk) -> None:
    desk.put_at("in/a", b"x")
    desk.models.release.clear()
    url = desk.models.url("held")

    job = desk.run(desk.model(url), ModelClientConfig={"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 1})
    desk.models.release.set()

    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    log = desk.data_log(job["TransformJobName"])
    assert "Model server did not respond to /invocations request within 1 seconds" in log
    assert len(desk.models.sent_to(url)) == 2


def test_a_refusal_is_final_and_a_breakdown_is_not(desk: Desk) -> None:
    desk.put_at("in/a", b"x")
    answers = {"refusing": iter([(400, b"no"), (200, b"yes")]), "broken": iter([(503, b"no"), (200, b"yes")])}
    urls = {name: desk.models.scripted(lambda _, told=told: next(told)) for name, told in answers.items()}

    jobs = {name: desk.run(desk.model(url)) for name, url in urls.items()}

    assert jobs["refusing"]["FailureReason"] == "ClientError: See job logs for more information"
    assert jobs["broken"]["TransformJobStatus"] == "Completed"
    assert [len(desk.models.sent_to(urls[name])) for name in ("refusing", "broken")] == [1, 2]
    assert desk.get("out/a.out") == b"yes"


def test_a_container_is_told_of_the_job_as_aws_tells_it(desk: Desk) -> None:
    desk.put_at("in/ü", b"x")
    url = desk.models.url("echo")

    desk.run(desk.model(url), ContentType="text/csv", Accept="text/csv")

    (sent,) = desk.models.sent_to(url)
    assert sent.headers["User-Agent"] == "Go-http-client/1.1"
    assert (sent.headers["Content-Type"], sent.headers["Accept"]) == ("text/csv", "text/csv")
    encoded = sent.headers["X-Amzn-Sagemaker-Input-Object-Base64"]
    assert base64.b64decode(encoded).decode() == f"{desk.bucket}/in/ü"


# ------------------------------------------------------------------------------------------------- requirements


def wheel(name: str, source: str) -> bytes:
    """Make a wheel of one module."""
    whole, info = io.BytesIO(), f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(whole, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return whole.getvalue()


USING = """
import {name}
def model_fn(model_dir):
    return {name}.GREETING
def transform_fn(model, data, content_type, accept):
    return model, accept
"""


def needing(desk: Desk, requirements: str, name: str, files: dict[str, bytes] | None = None) -> str:
    code = {"code/inference.py": USING.format(name=name), "code/requirements.txt": requirements}
    desk.put_at("model.tar.gz", packed({**code, **(files or {})}))
    return desk.model("image", ModelDataUrl=f"s3://{desk.bucket}/model.tar.gz")


def container_logs(desk: Desk, job: str) -> list[str]:
    folder = desk.engine.home / "jobs" / "us-east-1" / job / "logs"
    return [path.read_text() for path in folder.glob("*.log")]


def test_requirements_are_installed_once_for_all_instances_and_jobs(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    desk.put_at("in/b.csv", b"2\n")
    name = f"greeting_{uuid4().hex[:8]}"
    file = f"{name}-1.0-py3-none-any.whl"
    model = needing(desk, f"./wheels/{file}", name, {f"code/wheels/{file}": wheel(name, "GREETING = 'hello'")})

    first = desk.run(model, **CSV, InstanceCount=2)
    installs = [text.count("Successfully installed") for text in container_logs(desk, first["TransformJobName"])]
    second = desk.run(model, **CSV)

    assert (first["TransformJobStatus"], second["TransformJobStatus"]) == ("Completed", "Completed")
    assert desk.get("out/a.csv.out") == desk.get("out/b.csv.out") == b"hello\n"
    assert sorted(installs) == [0, 1]
    assert not any("installed" in text for text in container_logs(desk, second["TransformJobName"]))
    kept = [path.parent.parent for path in desk.engine.home.rglob(f"{name}.py")]
    assert kept == [desk.engine.home / "packages"]


def test_requirements_of_another_content_are_others(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    name = f"greeting_{uuid4().hex[:8]}"
    file = f"{name}-1.0-py3-none-any.whl"
    answers = []
    for greeting in ("one", "two"):
        wheels = {f"code/{file}": wheel(name, f"GREETING = '{greeting}'")}
        desk.run(needing(desk, f"./{file}", name, wheels), **CSV)
        answers.append(desk.get("out/a.csv.out"))

    assert answers == [b"one\n", b"two\n"]


def test_requirements_that_are_there_need_no_network(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")
    before = set((desk.engine.home / "packages").glob("*/"))

    model = needing(desk, "# what this Python has\nboto3>=1\n", "boto3")
    job = desk.run(model, **CSV)

    # The handler is broken on purpose: that it was imported at all is what counts.
    assert "has no attribute 'GREETING'" in desk.data_log(job["TransformJobName"])
    assert {path for path in (desk.engine.home / "packages").glob("*/") if path.is_dir()} == before


def test_requirements_that_cannot_be_installed_are_told_in_the_reason(desk: Desk) -> None:
    desk.put_at("in/a.csv", b"1\n")

    job = desk.run(needing(desk, "--no-index\nno-such-package-of-anybody", "json"), **CSV)

    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: code/requirements.txt could not be installed (pip ended with")
    assert "no-such-package-of-anybody" in job["FailureReason"]
    (log,) = container_logs(desk, job["TransformJobName"])
    assert "No matching distribution found for no-such-package-of-anybody" in log
    assert not list(Path(desk.engine.home / "packages").glob("*.half"))
