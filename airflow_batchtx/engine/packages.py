"""The operations on model packages: versions of a group, and packages by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from airflow_batchtx.engine import groups
from airflow_batchtx.engine.api import Api, Document, Request, refusal, tag_map
from airflow_batchtx.engine.arns import full_arn, own_name
from airflow_batchtx.engine.catalogue import Package, package_arn
from airflow_batchtx.engine.database import Query
from airflow_batchtx.engine.paging import page

KIND = "model-package"
# Members of CreateModelPackage that Describe does not show.
_NOT_DESCRIBED = frozenset({"ModelPackageName", "ModelPackageGroupName", "ModelApprovalStatus", "Tags", "ClientToken"})
# What UpdateModelPackage does not simply put in the place of what was there.
_NOT_REPLACED = frozenset({
    "ModelPackageArn", "ModelApprovalStatus", "ClientToken", "CustomerMetadataProperties",
    "CustomerMetadataPropertiesToRemove", "AdditionalInferenceSpecificationsToAdd",
})  # fmt: skip
# What nobody has looked at waits to be.
_FIRST_APPROVAL = "PendingManualApproval"
# Nothing is validated here, so packages are Completed at once.
_COMPLETED: Document = {
    "ModelPackageStatus": "Completed",
    "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
}


def create_model_package(api: Api, request: Request) -> Document:
    """Keep the next version of a group, or a package by itself."""
    if problems := " ".join(_problems(request)):
        raise refusal(problems)
    kept = {key: value for key, value in request.items() if key not in _NOT_DESCRIBED}
    add = _add_version if "ModelPackageGroupName" in request else _add_package
    return {"ModelPackageArn": add(api, request, kept).arn}


def describe_model_package(api: Api, request: Request) -> Document:
    """Give a package back as it was created, with what became of it since."""
    package = existing(api, request["ModelPackageName"])
    return {"CertifyForMarketplace": False, "CreatedBy": {}, **package.request, **_summary(package), **_COMPLETED}


def list_model_packages(api: Api, request: Request) -> Document:
    """List packages, oldest first unless asked otherwise; those that are no versions unless asked otherwise."""

    def rows(query: Query) -> list[Package]:
        chosen = replace(query, conditions=(*query.conditions, *_chosen(api, request)))
        return api.registry.catalogue.packages(api.region, chosen)

    # API reference, ListModelPackages: "The default is Ascending", unlike that of the other lists.
    packages, token = page({"SortOrder": "Ascending", **request}, rows, _position)
    return {"ModelPackageSummaryList": [_listed(package) for package in packages], **token}


def update_model_package(api: Api, request: Request) -> Document:
    """Change a version: its approval, and whatever else of it is said anew."""
    package = existing(api, request["ModelPackageArn"])
    if not package.version:
        raise refusal(f"ModelPackage {package.arn} is no version of a group, so it cannot be updated.")
    approval = request.get("ModelApprovalStatus", package.approval)
    updated = _updated(package.request, request)
    if problems := " ".join(_of_names(updated)):
        raise refusal(problems)
    if not api.registry.catalogue.update_package(package, approval, updated):
        raise _missing(package.arn)
    return {"ModelPackageArn": package.arn}


def delete_model_package(api: Api, request: Request) -> None:
    """Forget a package; jobs that run it are not touched."""
    package = existing(api, request["ModelPackageName"])
    if not api.registry.catalogue.remove_package(package):
        raise _missing(package.arn)


def existing(api: Api, given: str) -> Package:
    """Find a package by its name or ARN, or refuse the request that named it."""
    name, _, version = own_name(api.region, KIND, given).partition("/")
    found = api.registry.catalogue.package(api.region, name, int(version or 0)) if name else None
    if found is None:
        raise _missing(full_arn(api.region, KIND, given))
    return found


# ------------------------------------------------------------------------------------------------------ creation


def _problems(request: Request) -> Iterator[str]:
    named = [name for name in ("ModelPackageName", "ModelPackageGroupName") if name in request]
    if len(named) == 2:
        yield (
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to"
            " use."
        )
    if not named:
        yield "Missing ARN."
    if "SourceAlgorithmSpecification" in request:
        yield "The local engine of airflow-batchtx does not support algorithms: give an InferenceSpecification."
    yield from _of_names(request)
    yield from (_of_version if "ModelPackageGroupName" in request else _of_package)(request)


def _of_names(request: Request) -> Iterator[str]:
    # API reference, AdditionalInferenceSpecificationDefinition: its name is unique within the list.
    names = Counter(each["Name"] for each in request.get("AdditionalInferenceSpecifications", ()))
    for name, count in names.items():
        if count > 1:
            yield f'There is more than one additional inference specification "{name}".'


def _of_version(request: Request) -> Iterator[str]:
    # API reference, CreateModelPackage: neither applies to versioned models.
    for name in ("Tags", "CertifyForMarketplace"):
        if request.get(name):
            yield f"{name} cannot be specified when using versioned ModelPackages."


def _of_package(request: Request) -> Iterator[str]:
    # API reference, CreateModelPackage: it does not apply to unversioned models.
    if "ModelApprovalStatus" in request:
        yield "ModelApprovalStatus cannot be specified when using non-versioned ModelPackages."
    containers = request.get("InferenceSpecification", {}).get("Containers", ())
    if any("Environment" in container for container in containers):
        # AWS's own text, with its own grammar.
        yield (
            "1 validation errors detected:Environment variable map cannot be specified when using non-versioned"
            " ModelPackages"
        )


def _add_version(api: Api, request: Request, kept: Document) -> Package:
    approval = request.get("ModelApprovalStatus", _FIRST_APPROVAL)
    group = groups.group_of(api, request["ModelPackageGroupName"])
    if group is None or (package := api.registry.catalogue.add_version(group, approval, kept)) is None:
        raise refusal("Model Package Group does not exist.")
    return package


def _add_package(api: Api, request: Request, kept: Document) -> Package:
    name, tags = request["ModelPackageName"], tag_map(request.get("Tags", ()))
    if (package := api.registry.catalogue.add_package(api.region, name, kept, tags)) is None:
        raise refusal(f"ModelPackage {package_arn(api.region, name, 0)} already exists.")
    return package


def _updated(kept: Document, request: Request) -> Document:
    replaced = {name: value for name, value in request.items() if name not in _NOT_REPLACED}
    removed = request.get("CustomerMetadataPropertiesToRemove", ())
    properties = kept.get("CustomerMetadataProperties", {}) | request.get("CustomerMetadataProperties", {})
    left = {name: value for name, value in properties.items() if name not in removed}
    specifications = [
        *kept.get("AdditionalInferenceSpecifications", ()),
        *request.get("AdditionalInferenceSpecificationsToAdd", ()),
    ]
    merged = {"CustomerMetadataProperties": left, "AdditionalInferenceSpecifications": specifications}
    others = {name: value for name, value in kept.items() if name not in merged}
    return others | replaced | {name: value for name, value in merged.items() if value}


def _missing(resource: str) -> Exception:
    return refusal(f"ModelPackage {resource} does not exist.")


# ------------------------------------------------------------------------------------------------ what is shown


def _chosen(api: Api, request: Request) -> Iterator[tuple[str, object]]:
    if (group := request.get("ModelPackageGroupName")) is not None:
        yield "lower(name) = ?", own_name(api.region, groups.KIND, group).lower()
        yield "version > ?", 0
        return
    match request.get("ModelPackageType", "Unversioned"):
        case "Unversioned":
            yield "version = ?", 0
        case "Versioned":
            yield "version > ?", 0


def _summary(package: Package) -> Document:
    named = (
        {"ModelPackageGroupName": package.name, "ModelPackageVersion": package.version}
        if package.version
        else {"ModelPackageName": package.name}
    )
    dated = {"CreationTime": package.created, "LastModifiedTime": package.modified}
    members = {**named, "ModelPackageArn": package.arn, **dated, "ModelApprovalStatus": package.approval}
    return {name: value for name, value in members.items() if value is not None}


def _listed(package: Package) -> Document:
    shown = ("ModelPackageDescription", "ModelLifeCycle", "ModelPackageRegistrationType")
    described = {name: package.request[name] for name in shown if name in package.request}
    summary = {name: value for name, value in _summary(package).items() if name != "LastModifiedTime"}
    return summary | described | {"ModelPackageStatus": _COMPLETED["ModelPackageStatus"]}


def _position(package: Package, sort_by: str) -> tuple[object, str]:
    return {"key": package.key, "created": package.created}[sort_by], package.key
