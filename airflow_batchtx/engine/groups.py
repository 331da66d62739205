"""The operations on the groups that model packages are versions of."""

from __future__ import annotations

from airflow_batchtx.engine.api import Api, Document, Request, refusal, tag_map
from airflow_batchtx.engine.arns import arn, full_arn, own_name
from airflow_batchtx.engine.catalogue import PackageGroup
from airflow_batchtx.engine.paging import page
from airflow_batchtx.errors import RequestRefused

KIND = "model-package-group"
_STATUS: Document = {"ModelPackageGroupStatus": "Completed"}


def create_model_package_group(api: Api, request: Request) -> Document:
    """Keep a group."""
    name, tags = request["ModelPackageGroupName"], tag_map(request.get("Tags", ()))
    kept = {key: value for key, value in request.items() if key != "Tags"}
    if (group := api.registry.catalogue.add_group(api.region, name, kept, tags)) is None:
        # The words before the colon are what clients look for.
        raise refusal(f"Model Package Group already exists: {arn(api.region, KIND, name)}")
    return {"ModelPackageGroupArn": group.arn}


def describe_model_package_group(api: Api, request: Request) -> Document:
    """Give a group back as it was created."""
    return {"CreatedBy": {}, **_shown(_existing(api, request))}


def list_model_package_groups(api: Api, request: Request) -> Document:
    """List groups, oldest first unless asked otherwise."""
    # API reference, ListModelPackageGroups: "The default is Ascending".
    asked = {"SortOrder": "Ascending", **request}
    groups, token = page(asked, lambda query: api.registry.catalogue.groups(api.region, query), _position)
    return {"ModelPackageGroupSummaryList": [_shown(group) for group in groups], **token}


def delete_model_package_group(api: Api, request: Request) -> None:
    """Forget a group that has no versions."""
    group = _existing(api, request)
    if not api.registry.catalogue.remove_group(group):
        raise RequestRefused("ConflictException", f"ModelPackageGroup {group.arn} still has model packages.")


def group_of(api: Api, given: str) -> PackageGroup | None:
    """Find a group by its name or ARN."""
    name = own_name(api.region, KIND, given)
    return api.registry.catalogue.group(api.region, name) if name else None


def _existing(api: Api, request: Request) -> PackageGroup:
    given = request["ModelPackageGroupName"]
    if (group := group_of(api, given)) is None:
        raise refusal(f"ModelPackageGroup {full_arn(api.region, KIND, given)} does not exist.")
    return group


def _shown(group: PackageGroup) -> Document:
    told = {"ModelPackageGroupName": group.name, "ModelPackageGroupArn": group.arn, "CreationTime": group.created}
    return group.request | told | _STATUS


def _position(group: PackageGroup, sort_by: str) -> tuple[object, str]:
    key = group.name.lower()
    return {"key": key, "created": group.created}[sort_by], key
