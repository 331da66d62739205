"""AddTags, ListTags, DeleteTags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from airflow_batchtx.engine.api import Api, Document, Request, refusal, tag_map
from airflow_batchtx.engine.arns import arn
from airflow_batchtx.engine.catalogue import Catalogue, Package

MOST = 50


class _Tagged(Protocol):
    @property
    def arn(self) -> str: ...


def add_tags(api: Api, request: Request) -> Document:
    """Add tags to a resource; a key that is there takes the new value."""
    resource, added = _existing(api, request["ResourceArn"]), tag_map(request["Tags"])
    if len(api.registry.tags(resource) | added) > MOST:
        raise refusal(f"A resource can have at most {MOST} tags.")
    api.registry.set_tags(resource, added)
    return {"Tags": _tag_list(api, resource)}


def list_tags(api: Api, request: Request) -> Document:
    """List all tags of a resource: there are never more than a page holds."""
    return {"Tags": _tag_list(api, _existing(api, request["ResourceArn"]))}


def delete_tags(api: Api, request: Request) -> Document:
    """Take tags off a resource."""
    api.registry.remove_tags(_existing(api, request["ResourceArn"]), request["TagKeys"])
    return {}


def _tag_list(api: Api, resource: str) -> list[Document]:
    return [{"Key": key, "Value": value} for key, value in api.registry.tags(resource).items()]


def _finders(api: Api) -> Mapping[str, Callable[[str, str], _Tagged | None]]:
    """Say what finds a resource of each kind by Region and name."""
    return {
        "model": api.registry.model,
        "transform-job": api.registry.job,
        "model-package": partial(_package, api.registry.catalogue),
        "model-package-group": api.registry.catalogue.group,
    }


def _package(catalogue: Catalogue, region: str, name: str) -> Package | None:
    of, _, version = name.partition("/")
    return catalogue.package(region, of, int(version or 0)) if version.isdecimal() or not version else None


def _existing(api: Api, resource: str) -> str:
    """Give the ARN whose tags are those of a resource."""
    kind, _, name = resource.split(":", 5)[5].partition("/")
    find = _finders(api).get(kind)
    found = find(api.region, name) if find else None
    if found is None or found.arn != resource.lower():
        raise refusal(f"Could not find resource: {resource}")
    if isinstance(found, Package) and found.version:
        # API reference, CreateModelPackage: a version uses the tags of its group.
        return arn(api.region, "model-package-group", found.name)
    return resource
