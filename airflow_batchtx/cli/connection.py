"""boto3's clients for the command line, and all that job control needs over them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from airflow_batchtx.cli.arguments import Aws
from airflow_batchtx.control.services import Services
from airflow_batchtx.errors import InvalidInput, Problem
from airflow_batchtx.sagemaker.joblogs import JobLogs
from airflow_batchtx.sagemaker.jobs import TransformJobs
from airflow_batchtx.sagemaker.models import Models
from airflow_batchtx.storage.port import ObjectStore
from airflow_batchtx.storage.s3 import S3Store

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from airflow_batchtx.association.processes import Opener


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """AWS as a command reaches it. `client` is SageMaker's, `signed` tells whether there are credentials at all.

    `opener` gives what opens the same store in another process, None where none can.
    """

    services: Services
    client: SageMakerClient
    signed: bool = True
    opener: Callable[[], Opener] | None = None
    chance: Callable[[], float] = field(default=random.random)


Connect: TypeAlias = Callable[[Aws], Connection]


@dataclass(frozen=True, slots=True)
class StoreOf:
    """Opens the S3 that options say, in whichever process it is called."""

    aws: Aws

    def __call__(self) -> ObjectStore:
        """Open it."""
        return _store(_session(self.aws), self.aws)


def connected(aws: Aws) -> Connection:
    """Reach AWS as boto3 does: by options, environment, files; InvalidInput says what is missing."""
    with _told():
        return _connected(aws)


def clients(aws: Aws) -> tuple[S3Client, SageMakerClient]:
    """Make boto3's clients of S3 and SageMaker alone, in the same way."""
    with _told():
        session = _session(aws)
        return (
            session.client("s3", endpoint_url=aws.s3_endpoint_url),
            session.client("sagemaker", endpoint_url=aws.endpoint_url),
        )


@contextmanager
def _told() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, ValueError) as error:
        remedy = (
            'Give --region, --profile, or set AWS_DEFAULT_REGION; for the local engine: eval "$(batchtx local env)"'
        )
        raise InvalidInput("AWS", (Problem("connection", None, str(error).rstrip("."), remedy),)) from error


def _connected(aws: Aws) -> Connection:
    session = _session(aws)
    client = session.client("sagemaker", endpoint_url=aws.endpoint_url)
    services = Services(
        jobs=TransformJobs(client),
        models=Models(client),
        logs=JobLogs(session.client("logs", endpoint_url=aws.logs_endpoint_url)),
        store=_store(session, aws),
        clock=time.time,
        sleep=time.sleep,
    )
    signed = session.get_credentials() is not None
    return Connection(services=services, client=client, signed=signed, opener=lambda: StoreOf(aws))


def _session(aws: Aws) -> Session:
    from boto3.session import Session

    return Session(profile_name=aws.profile, region_name=aws.region)


def _store(session: Session, aws: Aws) -> S3Store:
    return S3Store(session.client("s3", endpoint_url=aws.s3_endpoint_url))
