"""Manifests of S3 objects: what ManifestFile names, and what data capture writes.

Form (API reference, S3DataSource): `[{"prefix": "s3://bucket/prefix/"}, "relative/one", "relative/two"]`; an object's
URI is the prefix and the text, put together as they stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airflow_batchtx.errors import InvalidManifest
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.spec.uri import S3Uri


@dataclass(frozen=True, slots=True)
class Manifest:
    """The objects that a manifest names, and the prefix that their outputs' paths are relative to."""

    prefix: S3Uri
    sources: tuple[S3Uri, ...]


def read(body: bytes) -> Manifest:
    """Read a manifest; InvalidManifest says everything that is wrong with it."""
    first, *names = _entries(body)
    prefix = first["prefix"] if isinstance(first, dict) and first.keys() == {"prefix"} else None
    if not isinstance(prefix, str):
        raise InvalidManifest('its first element must be {"prefix": "s3://bucket/..."}')
    try:
        root = address(prefix)
    except ValueError as error:
        raise InvalidManifest(f"its prefix {error}") from error
    if problems := [problem for name in names for problem in _problems(prefix, root, name)]:
        raise InvalidManifest("; ".join(problems))
    return Manifest(root, tuple(address(f"{prefix}{name}") for name in names))


def written(folder: S3Uri, sources: Iterable[S3Uri]) -> bytes:
    """Write the manifest of objects that lie below `folder`."""
    names = [source.key.removeprefix(folder.key) for source in sources]
    return json.dumps([{"prefix": str(folder)}, *names], separators=(",", ":"), ensure_ascii=False).encode()


def _entries(body: bytes) -> list[object]:
    try:
        entries = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidManifest(f"it is not JSON: {error}") from error
    if not isinstance(entries, list):
        raise InvalidManifest("it must be a JSON list")
    # API reference, S3DataSource: "The first element is a prefix which is followed by one or more suffixes."
    if len(entries) < 2:
        raise InvalidManifest("it must hold a prefix and the name of one object at least")
    return entries


def _problems(prefix: str, root: S3Uri, name: object) -> Iterator[str]:
    if not isinstance(name, str):
        yield f"{json.dumps(name)} is not the name of an object"
        return
    named = address(prefix + name)
    if named.bucket != root.bucket:
        # API reference: a manifest's objects cannot come from different buckets.
        yield f'"{prefix}" and "{name}" make "{prefix}{name}", which is in another bucket'
    elif not named.key or named.key.endswith("/"):
        yield f'"{prefix}{name}" is a folder, not an object'
