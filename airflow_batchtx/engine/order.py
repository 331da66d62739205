"""What an engine tells the process of an instance to do, and what that process tells it: lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from airflow_batchtx.engine.faults import UNDISTURBED, Interference
from airflow_batchtx.engine.stores import S3Address
from airflow_batchtx.planning.settings import Wishes
from airflow_batchtx.planning.transfers import Transfer
from airflow_batchtx.spec.enums import AssembleWith, BatchStrategy, Choice, CompressionType, JoinSource, SplitType
from airflow_batchtx.spec.uri import S3Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOrder:
    """A container to start; `model_dir` holds its unpacked archive, `log` takes what it prints.

    `packages` keeps what it asks to install, `docker` labels the container of an image, which may be `isolated`
    (`launch.Container`).
    """

    image: str
    log: str
    model_dir: str | None
    environment: Mapping[str, str]
    packages: str | None = None
    docker: str | None = None
    isolated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a CreateTransformJob request says about the work, its defaults filled in. Times in seconds."""

    wishes: Wishes
    content_type: str | None
    compression_type: CompressionType
    split_type: SplitType
    accept: str | None
    assemble_with: AssembleWith
    kms_key_id: str | None
    input_filter: str
    join_source: JoinSource
    output_filter: str
    invocation_seconds: float
    invocation_retries: int
    inference_time: str | None
    """What every record is stamped with, beside an id of its own; None without GenerateInferenceId."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The work of one instance; a record passes its containers one after the other."""

    containers: tuple[ContainerOrder, ...]
    terms: Terms
    transfers: tuple[Transfer, ...]
    s3: S3Address
    ping_seconds: float
    interference: Interference = UNDISTURBED

    def to_json(self) -> str:
        """Write the order on one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Order:
        """Read what `to_json` wrote."""
        told = json.loads(line)
        containers = tuple(ContainerOrder(**item) for item in told.pop("containers"))
        terms = _terms_from_json(told.pop("terms"))
        transfers = tuple(Transfer(S3Uri(**item["source"]), S3Uri(**item["target"])) for item in told.pop("transfers"))
        s3 = S3Address(**told.pop("s3"))
        interference = Interference(**told.pop("interference"))
        return cls(containers=containers, terms=terms, transfers=transfers, s3=s3, interference=interference, **told)


def terms(request: Mapping[str, Any], *, started: float) -> Terms:
    """Read the terms of work out of a CreateTransformJob request that was admitted; `started` in epoch seconds."""
    source, target = request["TransformInput"], request["TransformOutput"]
    processing, client = request.get("DataProcessing", {}), request.get("ModelClientConfig", {})
    strategy, stamps = request.get("BatchStrategy"), request.get("DataCaptureConfig", {}).get("GenerateInferenceId")
    return Terms(
        wishes=Wishes(
            request.get("MaxConcurrentTransforms"),
            request.get("MaxPayloadInMB"),
            BatchStrategy(strategy) if strategy else None,
        ),
        content_type=source.get("ContentType"),
        compression_type=CompressionType(source.get("CompressionType", "None")),
        split_type=SplitType(source.get("SplitType", "None")),
        accept=target.get("Accept"),
        assemble_with=AssembleWith(target.get("AssembleWith", "None")),
        kms_key_id=target.get("KmsKeyId") or None,
        input_filter=processing.get("InputFilter") or "$",
        join_source=JoinSource(processing.get("JoinSource", "None")),
        output_filter=processing.get("OutputFilter") or "$",
        invocation_seconds=client.get("InvocationsTimeoutInSeconds", 600),
        invocation_retries=client.get("InvocationsMaxRetries", 3),
        inference_time=_to_the_second(started) if stamps else None,
    )


def _to_the_second(epoch: float) -> str:
    # Developer guide, model-monitor-data-capture-batch, and the outputs of its notebooks: 2022-08-30T00:49:15Z.
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _terms_from_json(told: dict[str, Any]) -> Terms:
    concurrent, payload, strategy = (told["wishes"][name] for name in Wishes.__slots__)
    kinds: dict[str, type[Choice]] = {
        "compression_type": CompressionType,
        "split_type": SplitType,
        "assemble_with": AssembleWith,
        "join_source": JoinSource,
    }
    typed = {name: kind(told[name]) for name, kind in kinds.items()}
    wishes = Wishes(concurrent, payload, BatchStrategy(strategy) if strategy else None)
    return Terms(**{**told, **typed, "wishes": wishes})


class EventKind(str, Enum):
    """What an instance tells."""

    DATA_LOG = "data-log"  # text
    USAGE = "usage"  # what the instance uses of the machine: Usage as JSON
    FAILED = "failed"  # text: the FailureReason
    ENDED = "ended"  # all transfers were tried


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that an instance tells."""

    kind: EventKind
    text: str = ""

    def to_json(self) -> str:
        """Write the event on one line."""
        return json.dumps([self.kind, self.text])

    @classmethod
    def from_json(cls, line: str) -> Event:
        """Read what `to_json` wrote."""
        kind, text = json.loads(line)
        return cls(EventKind(kind), text)
