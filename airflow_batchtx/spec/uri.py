"""Addresses in S3."""

from __future__ import annotations

import re
from dataclasses import dataclass

# botocore, sagemaker model, shape S3Uri: ^(https|s3)://([^/]+)/?(.*)$; the https form is refused here, since how
# SageMaker resolves it is not documented.
_S3_URI = re.compile(r"s3://(?P<bucket>[^/]+)/?(?P<key>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class S3Uri:
    """A bucket and a key, or a raw key prefix: `S3Uri.parse("s3://bucket/some/prefix/")`."""

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> S3Uri:
        """Read `s3://bucket/key`; a ValueError names a text that is not one."""
        if (found := _S3_URI.fullmatch(text)) is None:
            raise ValueError(f"{text!r} is not an S3 URI: s3://bucket/key")
        return cls(found["bucket"], found["key"])

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> S3Uri:
        """The object or folder `name` below this prefix, with one slash between."""
        return S3Uri(self.bucket, f"{self.key.rstrip('/')}/{name.lstrip('/')}" if self.key.rstrip("/") else name)

    @property
    def name(self) -> str:
        """The part of the key after its last slash."""
        return self.key.rpartition("/")[2]

    @property
    def folder(self) -> S3Uri:
        """Everything up to and with the last slash of the key: what output paths are relative to."""
        return S3Uri(self.bucket, self.key[: self.key.rfind("/") + 1])

    def as_folder(self) -> S3Uri:
        """This prefix with a slash at its end (a bucket stays a bucket)."""
        return self if not self.key or self.key.endswith("/") else S3Uri(self.bucket, self.key + "/")

    def covers(self, other: S3Uri) -> bool:
        """Tell whether `other`, an object or a prefix, begins with this raw prefix."""
        return self.bucket == other.bucket and other.key.startswith(self.key)

    def overlaps(self, other: S3Uri) -> bool:
        """Tell whether one of two raw prefixes covers the other."""
        return self.covers(other) or other.covers(self)
