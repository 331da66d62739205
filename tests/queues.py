"""The queues, notifications and rules that docs/events.md shows, made by what it shows; and Lambda's Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from tests.engines import Engine, client_of
from tests.pages import DOCS, shown

ROOT = DOCS.parent
ARRIVALS, JOB_ENDS = "batchtx-arrivals", "batchtx-job-ends"
# What stands on the page for a user's own bucket.
PAGES_BUCKET = '"lake"'
# Called as Lambda calls a function: it finds what was zipped, Python, and boto3 where it says that it needs that.
INVOKE = """
import importlib, json, sys
sys.path[:0] = [sys.argv[1]]
sys.path += sys.argv[3:]
handler = importlib.import_module(sys.argv[2]).handler
print(json.dumps([handler(event, None) for event in json.load(sys.stdin)]))
"""
LIBRARIES = {"start_dag_run": (), "start_transform_job": (str(Path(boto3.__file__).parents[1]),)}


def environment(engine: Engine, **more: str) -> dict[str, str]:
    """What a process finds in its environment that calls the engine and what is beside it."""
    return {
        "AWS_ENDPOINT_URL": engine.storage,
        "AWS_ENDPOINT_URL_SAGEMAKER": engine.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        **more,
    }


def make_queues(engine: Engine, bucket: str, visibility: int = 120) -> None:
    """Do what the page shows, for a bucket that is there; `visibility` in seconds, the page's unless given."""
    code = "\n".join(shown("events.md", "python"))
    assert PAGES_BUCKET in code
    assert '"VisibilityTimeout": "120"' in code
    code = code.replace(PAGES_BUCKET, json.dumps(bucket)).replace('"120"', f'"{visibility}"')
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment(engine)}, check=True)


def empty_queues(engine: Engine, bucket: str, visibility: int = 120) -> None:
    """Make them anew, whoever has had them before."""
    for url in sqs(engine).list_queues(QueueNamePrefix="batchtx-").get("QueueUrls", ()):
        sqs(engine).delete_queue(QueueUrl=url)
    make_queues(engine, bucket, visibility)


def bare_queues(engine: Engine) -> None:
    """Make the queues, to which nobody sends anything yet."""
    for name in (ARRIVALS, JOB_ENDS):
        sqs(engine).create_queue(QueueName=name)


def tell_of_no_more_jobs(engine: Engine) -> None:
    """Undo what makes EventBridge tell of jobs: others end as well, which are not worth it."""
    client_of("events", engine.storage).remove_targets(Rule=JOB_ENDS, Ids=["queue"])


def sqs(engine: Engine) -> Any:
    return client_of("sqs", engine.storage)


def url_of(engine: Engine, name: str) -> str:
    return str(sqs(engine).get_queue_url(QueueName=name)["QueueUrl"])


def send(engine: Engine, name: str, body: Any) -> None:
    """Put a message into a queue, as a sender does who sends twice, or the wrong thing."""
    text = body if isinstance(body, str) else json.dumps(body)
    sqs(engine).send_message(QueueUrl=url_of(engine, name), MessageBody=text)


def waiting(engine: Engine, name: str) -> int:
    """Count the messages of a queue, those too that somebody has received and not deleted."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs(engine).get_queue_attributes(QueueUrl=url_of(engine, name), AttributeNames=names)["Attributes"]
    return sum(int(found[one]) for one in names)


def received(engine: Engine, name: str) -> list[str]:
    """Give the bodies of the messages that can be received just now."""
    found = sqs(engine).receive_message(QueueUrl=url_of(engine, name), MaxNumberOfMessages=10)
    return [message["Body"] for message in found.get("Messages", ())]


def invoked(folder: Path, name: str, variables: Mapping[str, str], *events: Any) -> list[Any]:
    """Zip a function as the page says, and call its handler with events, one after another, in a Python of its own."""
    archive, unpacked = folder / f"{name}.zip", folder / name
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(DOCS / "lambda" / f"{name}.py", f"{name}.py")
        for module in (ROOT / "airflow_batchtx" / "events").glob("*.py"):
            zipped.write(module, module.relative_to(ROOT))
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(unpacked)
    # Without site no editable installation of this package is found in the zip's place.
    command = [sys.executable, "-I", "-S", "-c", INVOKE, str(unpacked), name, *LIBRARIES[name]]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "AWS_", "PYTHON"))}
    ran = subprocess.run(
        command, env={**clean, **variables}, input=json.dumps(events), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return list(json.loads(ran.stdout))
