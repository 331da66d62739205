"""The model that a job brings with it: made once for each content, and found again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.errors import (
    ModelCallRefused,
    ModelConflict,
    ModelNameTaken,
    ModelNotFound,
    ServiceUnavailable,
)
from airflow_batchtx.sagemaker.models import Described, Models
from airflow_batchtx.spec.model import ModelDefinition
from airflow_batchtx.spec.naming import model_name

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsuredModel:
    """A model that exists: whether it was created just now, and what DescribeModel says of it."""

    name: str
    created: bool
    described: Described


def ensure_model(
    models: Models, definition: ModelDefinition, *, prefix: str, tags: Mapping[str, str] | None = None
) -> EnsuredModel:
    """Find the model of a definition, or create it with these tags; any number of tasks may do so at once.

    Its name is `<prefix>-<digest of its content>`, so another content is another model. A package group counts as its
    latest approved package. PackageNotFound; ModelConflict where the name stands for something else; ModelCallRefused;
    ServiceUnavailable.
    """
    settled = definition.resolved(models.latest_package)
    name = model_name(prefix, settled.digest)
    found, created = _found(models, name), False
    if found is None:
        created = _created(models, settled.to_request(name, tags))
        found = models.describe(name)
    if differing := tuple(differences(settled.to_request(name), found)):
        raise ModelConflict(name, differing)
    log.info("Model %s %s", name, "created" if created else "exists, and is what was asked for")
    return EnsuredModel(name=name, created=created, described=found)


def forget(models: Models, name: str) -> bool:
    """Delete a model that has served; False, and a warning in the log, where that cannot be.

    Raises nothing: what the model was made for is done, and its outcome stands. Jobs that run it go on, but none can be
    created with it: a model that is to go is best made with a prefix that no other task uses.
    """
    try:
        deleted = models.delete(name)
    except (ModelCallRefused, ServiceUnavailable) as error:
        log.warning("Model %s was not deleted: %s", name, error)
        return False
    log.info("Model %s %s", name, "deleted" if deleted else "is gone already")
    return deleted


def differences(asked: Mapping[str, Any], described: Mapping[str, Any]) -> Iterator[str]:
    """Name the members that are asked for and that a description has otherwise; what AWS adds to it does not count."""
    for name, value in asked.items():
        yield from _differing(name, value, described.get(name))


def _differing(path: str, asked: Any, there: Any) -> Iterator[str]:
    match asked, there:
        case Mapping(), Mapping():
            yield from (f"{path}.{name}" for name in differences(asked, there))
        case [Mapping(), *_], list() if len(asked) == len(there):
            for at, (mine, theirs) in enumerate(zip(asked, there, strict=True)):
                yield from _differing(f"{path}[{at}]", mine, theirs)
        case [str(), *_], [str(), *_] if set(asked) == set(there):
            return  # the ids of subnets and of security groups come in any order
        case _ if (asked or None) != (there or None):
            yield path


def _found(models: Models, name: str) -> Described | None:
    try:
        return models.describe(name)
    except ModelNotFound:
        return None


def _created(models: Models, request: Mapping[str, Any]) -> bool:
    try:
        models.create(request)
    except ModelNameTaken:
        log.info("Model %s was created by another process meanwhile", request["ModelName"])
        return False
    return True
