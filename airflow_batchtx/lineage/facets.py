"""Facets of our own. Imports OpenLineage, which not everybody has: import it only where OpenLineage itself asks."""

from __future__ import annotations

import attrs
from openlineage.client.facet_v2 import RunFacet

JOB_FACET = "batchtx_transformJob"


@attrs.define(kw_only=True)
class TransformJobRunFacet(RunFacet):
    """The transform job of a run: what it took and what it cost, as far as that is known by then."""

    jobName: str  # noqa: N815 - OpenLineage's facets are written so
    status: str | None = None
    instanceType: str | None = None  # noqa: N815
    instanceCount: int | None = None  # noqa: N815
    instanceSeconds: float | None = None  # noqa: N815
    cost: float | None = None
    currency: str | None = None
    attempts: int | None = None
    reused: bool | None = None
    record: str | None = None
