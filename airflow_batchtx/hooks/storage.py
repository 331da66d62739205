"""Objects in S3, over an Airflow connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_batchtx.errors import InvalidInput, Problem, refuse
from airflow_batchtx.hooks.current import CurrentHook
from airflow_batchtx.storage.recipe import StoreRecipe
from airflow_batchtx.storage.s3 import S3Store


class StorageHook(CurrentHook):
    """Reads and writes objects with the very settings that the jobs' hook has, Region, endpoint and role included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_type": "s3"})

    def store(self, *, extra_args: Mapping[str, Any] | None = None) -> S3Store:
        """Give an ObjectStore, each call over the client as it is then; `extra_args` go with those that know them."""
        refuse_keys("Extra arguments for S3", extra_args or {})
        return S3Store(self.current, extra_args=extra_args)

    def opener(self, *, extra_args: Mapping[str, Any] | None = None) -> Callable[[], StoreRecipe]:
        """Give what tells, each time it is asked, how another process opens the same store as it is then."""

        def recipe() -> StoreRecipe:
            return StoreRecipe.of(
                self.client,
                self.get_credentials(),
                endpoint_url=self.conn_config.get_service_endpoint_url("s3"),
                verify=self.verify,
                extra_args=extra_args,
            )

        return recipe


def refuse_keys(subject: str, extra_args: Mapping[str, Any]) -> None:
    """Raise InvalidInput where arguments for S3 hold an encryption key of the caller's own (SSE-C)."""
    refuse(InvalidInput, subject, _keys(extra_args))


def _keys(extra_args: Mapping[str, Any]) -> Iterator[Problem]:
    for name in extra_args:
        if "SSECustomer" in name:
            rule = (
                "SageMaker reads and writes no object under such a key, and Airflow shows it among rendered templates"
            )
            yield Problem(f"s3_extra_args.{name}", "***", rule, "Use a key of KMS: ServerSideEncryption, SSEKMSKeyId.")
