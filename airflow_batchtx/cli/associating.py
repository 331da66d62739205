"""`batchtx associate`: rows and predictions to one table, with a bar, and a page about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from airflow_batchtx.association import request as association
from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.report import report
from airflow_batchtx.association.report_page import page
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.cli.arguments import Place
from airflow_batchtx.cli.connection import Connection
from airflow_batchtx.cli.progress import bar
from airflow_batchtx.control.prices import price_table
from airflow_batchtx.control.services import Services
from airflow_batchtx.control.standing import standing
from airflow_batchtx.spec.associated import AssociatedOutput
from airflow_batchtx.spec.uri import S3Uri

log = logging.getLogger(__name__)


def resolved(services: Services, options: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    """Put a job's result in the place of its name; the others are left as they are."""
    association.check(options)
    if (name := options.get("job_name")) is None:
        return options
    prices = price_table(place.prices)
    found = standing(services, name, control_prefix=place.control_prefix, prices=prices)
    if found.note:
        log.warning("%s", found.note)
    return {**{one: value for one, value in options.items() if one != "job_name"}, "result": found.result.to_dict()}


@dataclass(slots=True)
class Work:
    """What one command does: `options` are those of an associate task."""

    connection: Connection
    options: Mapping[str, Any]
    console: Console
    quiet: bool = False

    def table(self) -> AssociatedOutput:
        """Write the table."""
        with bar(self.console, "associating", quiet=self.quiet) as told:
            store = self.connection.services.store
            return associate(store, self._request, progress=told, opener=self.connection.opener)

    def report(self, table: AssociatedOutput, file: Path) -> None:
        """Write the page about a table that has been written."""
        with bar(self.console, "counting", quiet=self.quiet) as told:
            store = self.connection.services.store
            manifest = S3Uri.parse(table.manifest or "")
            found = report(store, manifest, self._request.result, progress=told)
        file.write_text(page(found), encoding="utf-8")

    @property
    def _request(self) -> AssociateRequest:
        return AssociateRequest.read(self.options)


def rows_of(table: AssociatedOutput, page: Path | None) -> dict[str, Any]:
    """Say for people what was written."""
    return {
        "Rows": f"{table.rows:,}",
        "Dead rows": f"{table.dead_rows:,}, in {table.dead_letters}" if table.dead_rows else None,
        "Tables": f"{table.tables:,}" if table.tables > 1 else None,
        "Parts": f"{table.parts:,}",
        "Columns": ", ".join(table.columns),
        "Output": table.output,
        "Manifest": table.manifest,
        "Report": page,
    }
