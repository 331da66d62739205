"""The same S3 in another process: what it takes to make the client anew there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_batchtx.storage.s3 import S3Store

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.credentials import ReadOnlyCredentials
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecipe:
    """Makes an S3Store when it is called. It holds credentials as they are now: for a pipe to a process of one's own.

    Two recipes are equal where a store that one made serves for the other.
    """

    region_name: str
    endpoint_url: str | None
    verify: bool | str | None
    credentials: ReadOnlyCredentials | None = field(repr=False)
    config: Config = field(compare=False, repr=False)
    extra_args: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(
        cls,
        client: S3Client,
        credentials: ReadOnlyCredentials | None,
        *,
        endpoint_url: str | None = None,
        verify: bool | str | None = None,
        extra_args: Mapping[str, Any] | None = None,
    ) -> StoreRecipe:
        """Take from a client what it tells of itself, and beside it what it was made with and does not tell."""
        return cls(
            region_name=client.meta.region_name,
            endpoint_url=endpoint_url,
            verify=verify,
            credentials=credentials,
            config=client.meta.config,
            extra_args=tuple((extra_args or {}).items()),
        )

    def __call__(self) -> S3Store:
        """Make the client, which takes a second, and a store over it."""
        from botocore.session import Session

        known: dict[str, Any] = {}
        if self.credentials is not None:
            known = {
                "aws_access_key_id": self.credentials.access_key,
                "aws_secret_access_key": self.credentials.secret_key,
                "aws_session_token": self.credentials.token,
            }
        client: Any = Session().create_client(
            "s3",
            region_name=self.region_name,
            endpoint_url=self.endpoint_url,
            verify=self.verify,
            config=self.config,
            **known,
        )
        return S3Store(client, extra_args=dict(self.extra_args))
