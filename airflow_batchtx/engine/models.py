"""CreateModel, DescribeModel, ListModels, DeleteModel."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_batchtx.engine import packaged
from airflow_batchtx.engine.api import Api, Document, Request, refusal, tag_map
from airflow_batchtx.engine.arns import arn
from airflow_batchtx.engine.paging import page
from airflow_batchtx.engine.registry import Model

# API reference, ContainerDefinition.Environment: 32 KB in all.
_MOST_ENVIRONMENT = 32 * 1024
# A model describes its own defaults back.
_CONTAINER_DEFAULTS = {"Mode": "SingleModel"}
_NOT_BESIDE_A_PACKAGE = frozenset({"Image", "ModelDataUrl", "ModelDataSource"})


def create_model(api: Api, request: Request) -> Document:
    """Keep a model. Its image and archive are looked at when a job runs it."""
    if problems := " ".join(_problems(request)):
        raise refusal(problems)
    for container in _containers(request):
        packaged.check(api, container)
    kept = {key: value for key, value in request.items() if key != "Tags"}
    model = api.registry.add_model(api.region, request["ModelName"], kept, tag_map(request.get("Tags", ())))
    if model is None:
        raise refusal(f'Cannot create already existing model "{arn(api.region, "model", request["ModelName"])}".')
    return {"ModelArn": model.arn}


def describe_model(api: Api, request: Request) -> Document:
    """Give a model back as it was created, defaults filled in."""
    model = existing(api, request["ModelName"])
    described = {"EnableNetworkIsolation": False, **model.request}
    if "PrimaryContainer" in described:
        described["PrimaryContainer"] = _CONTAINER_DEFAULTS | described["PrimaryContainer"]
    if "Containers" in described:
        described["Containers"] = [_CONTAINER_DEFAULTS | container for container in described["Containers"]]
    return described | {"CreationTime": model.created, "ModelArn": model.arn}


def list_models(api: Api, request: Request) -> Document:
    """List models, newest first unless asked otherwise."""
    models, token = page(request, lambda query: api.registry.models(api.region, query), _position)
    return {"Models": [_summary(model) for model in models], **token}


def delete_model(api: Api, request: Request) -> None:
    """Forget a model; jobs that run it are not touched."""
    if not api.registry.remove_model(api.region, request["ModelName"]):
        raise _missing(api, request["ModelName"])


def existing(api: Api, name: str) -> Model:
    """Find a model, or refuse the request that named it."""
    if (model := api.registry.model(api.region, name)) is None:
        raise _missing(api, name)
    return model


def _missing(api: Api, name: str) -> Exception:
    return refusal(f'Could not find model "{arn(api.region, "model", name)}".')


def _problems(request: Request) -> Iterator[str]:
    if ("PrimaryContainer" in request) == bool(request.get("Containers")):
        yield "Exactly one of PrimaryContainer and Containers must be given."
    containers = _containers(request)
    for container in containers:
        if not _has_one_source(container):
            # AWS's own text.
            yield "Specify one of either Image and Model Data URL or ModelPackageName in container definition."
        size = sum(len(name) + len(value) for name, value in container.get("Environment", {}).items())
        if size > _MOST_ENVIRONMENT:
            yield f"The Environment of a container has {size} characters, more than {_MOST_ENVIRONMENT}."
    # API reference, ContainerHostname: for all containers of a pipeline or for none, and unique.
    names = [container["ContainerHostname"] for container in containers if "ContainerHostname" in container]
    if names and len(set(names)) < len(containers):
        yield "In Containers, ContainerHostname must be given for every container or for none, each another one."


def _containers(request: Request) -> list[Request]:
    primary = [request["PrimaryContainer"]] if "PrimaryContainer" in request else []
    return [*primary, *request.get("Containers", [])]


def _has_one_source(container: Request) -> bool:
    if "ModelPackageName" in container:
        return not _NOT_BESIDE_A_PACKAGE & container.keys()
    return "Image" in container


def _summary(model: Model) -> Document:
    return {"ModelName": model.name, "ModelArn": model.arn, "CreationTime": model.created}


def _position(model: Model, sort_by: str) -> tuple[object, str]:
    key = model.name.lower()
    return {"key": key, "created": model.created}[sort_by], key
