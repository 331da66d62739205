"""The closed lists of values of CreateTransformJob; a test holds them to botocore's service model."""

from __future__ import annotations

from enum import Enum


class Choice(str, Enum):
    """One of a closed list of texts; it is its text, also when formatted (StrEnum needs Python 3.11)."""

    __str__ = str.__str__


class SplitType(Choice):
    """How an input object is cut into records."""

    NONE = "None"
    LINE = "Line"
    RECORD_IO = "RecordIO"
    TF_RECORD = "TFRecord"


class BatchStrategy(Choice):
    """How many records go into one request."""

    MULTI_RECORD = "MultiRecord"
    SINGLE_RECORD = "SingleRecord"


class AssembleWith(Choice):
    """What stands between two transformed records of an output object."""

    NONE = "None"
    LINE = "Line"


class CompressionType(Choice):
    """How the input objects are compressed."""

    NONE = "None"
    GZIP = "Gzip"


class JoinSource(Choice):
    """What predictions are joined with before they are written."""

    NONE = "None"
    INPUT = "Input"


class S3DataType(Choice):
    """What the input's S3 URI names. AWS knows two more, which Batch Transform does not take."""

    S3_PREFIX = "S3Prefix"
    MANIFEST_FILE = "ManifestFile"


class JobStatus(Choice):
    """Where a transform job stands."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
