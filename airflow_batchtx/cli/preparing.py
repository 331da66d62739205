"""`batchtx prepare`: tables to shards, with a bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from airflow_batchtx.cli.progress import bar
from airflow_batchtx.preparation.prepare import prepare
from airflow_batchtx.preparation.request import PrepareRequest
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.storage.port import ObjectStore


def prepared(store: ObjectStore, options: Mapping[str, Any], console: Console, *, quiet: bool) -> PreparedInput:
    """Do the work that a prepare task does."""
    request = PrepareRequest.read(options)
    with bar(console, "preparing", quiet=quiet) as report:
        return prepare(store, request, progress=report)


def rows_of(found: PreparedInput) -> dict[str, Any]:
    """Say for people what was written."""
    return {
        "Rows": f"{found.rows:,}",
        "Quarantined": f"{found.quarantined:,}" if found.quarantined else None,
        "Shards": f"{found.shards:,}",
        "Content type": found.content_type,
        "Input": found.input,
        "Manifest": found.manifest,
    }
