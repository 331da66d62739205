"""Models whose containers come out of model packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from airflow_batchtx.engine.api import Api, Document, refusal
from airflow_batchtx.engine.catalogue import Package
from airflow_batchtx.engine.containers import containers
from airflow_batchtx.engine.packages import existing
from airflow_batchtx.engine.registry import Model

Container = Mapping[str, Any]
# What a package says of a container that a model's container says too.
_SHARED = ("Image", "ModelDataUrl", "ModelDataSource", "ContainerHostname")


def check(api: Api, container: Container) -> None:
    """Refuse a model's container whose package is not there, has nothing to run, or is not approved."""
    if "ModelPackageName" not in container:
        return
    package = existing(api, container["ModelPackageName"])
    # API reference, CreateModelPackage: a version must be approved to be deployed; others have no approval.
    if package.approval not in (None, "Approved"):
        raise refusal(f"ModelPackage {package.arn} is not approved: its ModelApprovalStatus is {package.approval}.")
    _specified(package, container)


def opened(api: Api, model: Model) -> Model:
    """Give a model as it runs: in place of a container with a package those of the package, in their order.

    A container's own Environment goes over that of its package. Refuses a model whose package is there no more.
    """
    if not any("ModelPackageName" in container for container in containers(model)):
        return model
    found = [each for container in containers(model) for each in _opened(api, container)]
    others = {name: value for name, value in model.request.items() if name != "PrimaryContainer"}
    return replace(model, request=others | {"Containers": found})


def _opened(api: Api, container: Container) -> Iterator[Document]:
    if "ModelPackageName" not in container:
        yield dict(container)
        return
    for packaged in _specified(existing(api, container["ModelPackageName"]), container):
        told = {name: packaged[name] for name in _SHARED if name in packaged}
        environment = packaged.get("Environment", {}) | container.get("Environment", {})
        yield {**container, **told, "Environment": environment}


def _specified(package: Package, container: Container) -> list[Container]:
    """Find the containers of the inference specification that a model's container asks for."""
    if (name := container.get("InferenceSpecificationName")) is None:
        found = package.request.get("InferenceSpecification")
    else:
        additional = package.request.get("AdditionalInferenceSpecifications", ())
        found = next((one for one in additional if one["Name"] == name), None)
    if found is None:
        raise refusal(f"ModelPackage {package.arn} has no inference specification{f' {name}' if name else ''}.")
    given: list[Container] = found["Containers"]
    return given
