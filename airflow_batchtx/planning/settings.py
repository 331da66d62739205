"""How much goes into one request, and how many requests are in flight on an instance."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_batchtx.spec.enums import BatchStrategy
from airflow_batchtx.spec.limits import MAX_PAYLOAD_IN_MB, MAX_PAYLOAD_PRODUCT_MB

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request, or a container by its /execution-parameters, asks for; None where it is silent."""

    max_concurrent_transforms: int | None = None
    max_payload_in_mb: int | None = None
    batch_strategy: BatchStrategy | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What an instance goes by."""

    max_concurrent_transforms: int
    max_payload_in_mb: int
    batch_strategy: BatchStrategy

    @property
    def max_payload(self) -> int | None:
        """The largest payload in bytes; None for no limit (MaxPayloadInMB = 0)."""
        return self.max_payload_in_mb * MIB or None


DEFAULTS = Settings(max_concurrent_transforms=1, max_payload_in_mb=6, batch_strategy=BatchStrategy.MULTI_RECORD)


def effective(request: Wishes, container: Wishes) -> Settings:
    """Settle each value: the request wins over the container, the container over SageMaker's defaults.

    MaxConcurrentTransforms of 0 means "ask the container". A container that asks for more than a request may is given
    the largest payload there is, and as many concurrent requests as fit; a request that does so was refused already.
    """
    asked = request.max_payload_in_mb if request.max_payload_in_mb is not None else container.max_payload_in_mb
    payload = DEFAULTS.max_payload_in_mb if asked is None else min(asked, MAX_PAYLOAD_IN_MB)
    concurrent = request.max_concurrent_transforms or _fitting(container.max_concurrent_transforms, payload)
    return Settings(
        max_concurrent_transforms=concurrent,
        max_payload_in_mb=payload,
        batch_strategy=request.batch_strategy or container.batch_strategy or DEFAULTS.batch_strategy,
    )


def _fitting(concurrent: int | None, payload_in_mb: int) -> int:
    wanted = concurrent or DEFAULTS.max_concurrent_transforms
    return max(1, min(wanted, MAX_PAYLOAD_PRODUCT_MB // max(payload_in_mb, 1)))
