"""What the List operations share: filters as conditions, sorting, page size and token."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from airflow_batchtx.engine.database import Query
from airflow_batchtx.errors import RequestRefused

Row = TypeVar("Row")

# The request's member and what it demands of a row. Both ends of a time span are left out, as "after" and "before" say.
FILTERS: Mapping[str, str] = {
    "CreationTimeAfter": "created > ?",
    "CreationTimeBefore": "created < ?",
    "LastModifiedTimeAfter": "modified > ?",
    "LastModifiedTimeBefore": "modified < ?",
    "NameContains": "instr(name, ?) > 0",
    "StatusEquals": "status = ?",
    "ModelApprovalStatus": "approval = ?",
}
# Rows of one moment or one status follow by their key.
COLUMNS: Mapping[str, str] = {"Name": "key", "CreationTime": "created", "Status": "status"}


def page(
    request: Mapping[str, Any], rows: Callable[[Query], list[Row]], position: Callable[[Row, str], tuple[object, str]]
) -> tuple[list[Row], dict[str, str]]:
    """Read one page, and the NextToken member of the answer (none on the last page).

    `position` gives a row's value in the column that is sorted by, and its key.
    """
    query = _query(request)
    found = rows(replace(query, limit=query.limit + 1))
    if len(found) <= query.limit:
        return found, {}
    shown = found[: query.limit]
    return shown, {"NextToken": _token(request, position(shown[-1], query.sort_by))}


def _query(request: Mapping[str, Any]) -> Query:
    return Query(
        conditions=tuple((clause, request[name]) for name, clause in FILTERS.items() if name in request),
        sort_by=COLUMNS[request.get("SortBy", "CreationTime")],
        descending=request.get("SortOrder", "Descending") == "Descending",
        limit=request.get("MaxResults", 10),
        after=_position(request) if "NextToken" in request else None,
    )


def _token(request: Mapping[str, Any], position: tuple[object, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([_fingerprint(request), *position]).encode()).decode()


def _position(request: Mapping[str, Any]) -> tuple[object, str]:
    try:
        fingerprint, value, key = json.loads(base64.urlsafe_b64decode(request["NextToken"]))
    except (ValueError, TypeError) as error:
        raise RequestRefused("ValidationException", "Invalid NextToken: it is none that this engine gave.") from error
    if fingerprint != _fingerprint(request):
        raise RequestRefused("ValidationException", "Invalid NextToken: the filters or the order have changed since.")
    return value, key


def _fingerprint(request: Mapping[str, Any]) -> int:
    asked = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    return zlib.crc32(json.dumps(asked, sort_keys=True).encode())
