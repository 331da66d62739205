"""Transform jobs for who looks at many of them, and is not in a hurry with any."""

from __future__ import annotations

from botocore.config import Config

from airflow_batchtx.hooks.batch_transform import BatchTransformHook


class PacedHook(BatchTransformHook):
    """The hook of a caller that paces and repeats calls itself: botocore makes each call once, and waits for none long.

    What the connection or `config` says of retries and timeouts goes over that.
    """

    @property
    def config(self) -> Config:
        """Configuration of the client."""
        return Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30).merge(super().config)
