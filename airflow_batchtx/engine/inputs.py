"""Which objects a job's input names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_batchtx.planning import manifests
from airflow_batchtx.planning.addresses import address
from airflow_batchtx.planning.transfers import is_marker
from airflow_batchtx.spec.enums import S3DataType
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore


def inputs(store: ObjectStore, source: Mapping[str, str]) -> tuple[S3Uri, Iterable[S3Uri]]:
    """Give the prefix that outputs' paths are relative to, and the objects of an S3DataSource.

    A prefix is listed while the objects are taken; what a manifest names may not be there. Raises StorageError and
    InvalidManifest.
    """
    uri = address(source["S3Uri"])
    if source["S3DataType"] == S3DataType.MANIFEST_FILE:
        manifest = manifests.read(store.get(uri))
        return manifest.prefix, manifest.sources
    return uri, (found.uri for found in store.objects(uri) if not is_marker(found.uri))
