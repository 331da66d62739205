"""A table for each folder that a job's inputs lie in: `day=2026-01-01/`, where one job answers for many days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from airflow_batchtx.association.pairing import Pair
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.errors import InvalidInput, Problem, refuse
from airflow_batchtx.spec.associated import AssociatedOutput
from airflow_batchtx.spec.manifest import PreparedManifest
from airflow_batchtx.spec.record import Record
from airflow_batchtx.spec.uri import S3Uri

# How many inputs in no folder are named.
MOST = 10


def folder_of(uri: S3Uri, names: Sequence[str]) -> str | None:
    """Give the folders `name=...` of an object's path, one for each name and in their order; None if one is not there.

    Of several with one name the last counts, which stands nearest to the object.
    """
    steps = {step.partition("=")[0]: step for step in uri.key.split("/")[:-1] if "=" in step}
    return None if any(name not in steps for name in names) else "".join(f"{steps[name]}/" for name in names)


def apart(request: AssociateRequest, pairs: Iterable[Pair]) -> list[tuple[AssociateRequest, tuple[Pair, ...]]]:
    """Give a request for each folder, in the order of their names, with the pairs whose inputs lie in it.

    InvalidInput names the inputs that lie in none.
    """
    found: dict[str, list[Pair]] = {}
    lost = []
    for pair in pairs:
        if (folder := folder_of(pair.source, request.table_per)) is None:
            lost.append(pair.source)
        else:
            found.setdefault(folder, []).append(pair)
    refuse(InvalidInput, "associate", _lost(request, lost))
    return [
        (replace(request, output=request.output / folder, folder=folder), tuple(mine))
        for folder, mine in sorted(found.items())
    ]


def _lost(request: AssociateRequest, lost: Sequence[S3Uri]) -> Iterator[Problem]:
    wanted = "".join(f"{name}=.../" for name in request.table_per)
    for uri in lost[:MOST]:
        rule = f"does not lie in {wanted}, as {len(lost)} inputs do not"
        yield Problem("table_per", str(uri), rule, "Name folders of the inputs' paths, or leave it out.")


def of_folder(
    request: AssociateRequest, record: Record, manifest: PreparedManifest | None
) -> tuple[Record, PreparedManifest | None]:
    """Leave of what a job read, and of what was prepared for it, what lies in the folder of the request."""
    mine = replace(record, objects=tuple(one for one in record.objects if is_in(request, S3Uri.parse(one.input))))
    if manifest is None:
        return mine, None
    return mine, replace(manifest, shards=tuple(one for one in manifest.shards if is_in(request, S3Uri.parse(one.uri))))


def is_in(request: AssociateRequest, uri: S3Uri) -> bool:
    """Tell whether an input belongs to the one table that a request is for."""
    return request.folder is None or folder_of(uri, request.table_per) == request.folder


def summed(request: AssociateRequest, tables: Sequence[AssociatedOutput]) -> AssociatedOutput:
    """Tell of several tables as of one, whose columns are those of the first."""
    dead = sum(table.dead_rows for table in tables)
    return replace(
        tables[0],
        output=str(request.output),
        manifest=None,
        rows=sum(table.rows for table in tables),
        parts=sum(table.parts for table in tables),
        tables=len(tables),
        dead_rows=dead,
        dead_letters=str(request.output) if dead else None,
    )
