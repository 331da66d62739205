"""A model as its user writes it, for a job that brings its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_batchtx.errors import InvalidModel, Problem, refuse
from airflow_batchtx.spec import options
from airflow_batchtx.spec.limits import S3_URI_PATTERN
from airflow_batchtx.spec.naming import short_digest
from airflow_batchtx.spec.templates import Flag, Text, is_open
from airflow_batchtx.spec.wire import Request, put, tag_list

# botocore, sagemaker model, shapes CreateModelInput and ContainerDefinition; a test holds these to it.
_NAME = r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)"
ENTITY_PATTERN = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
ROLE_PATTERN = r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
NETWORK_ID_PATTERN = r"[-0-9a-zA-Z]{1,32}"
VARIABLE_PATTERN = r"[a-zA-Z_][a-zA-Z0-9_]*"
MAX_VARIABLES, MAX_VARIABLE_LENGTH = 100, 1024
MAX_CONTAINERS = 15
# API reference, ContainerDefinition.Environment: 32 KB in all.
MAX_ENVIRONMENT = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a model: an image and its data, or what a model package says.

    Just one of `image`, `package` (the name or ARN of a model package) and `package_group` is given; the last stands
    for the group's newest approved package at the time of the run. `data` is the archive (tar.gz) for an image,
    `inference_specification` one of several that a package has. `hostname` names the container in a pipeline's logs.
    """

    image: Text | None = None
    package: Text | None = None
    package_group: Text | None = None
    inference_specification: Text | None = None
    data: Text | None = None
    environment: Mapping[str, Text] | None = field(default=None, repr=False)  # it may hold secrets
    hostname: Text | None = None

    def to_dict(self) -> dict[str, Any]:
        """Write it as plain JSON, templates and references in their places; what is None is left out."""
        values = {member.name: _plain(getattr(self, member.name)) for member in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDefinition(Container):
    """A model that is made for a job: of one container, or of several in a row in `containers`, a pipeline.

    `role` is the ARN of the IAM role that jobs run under. `subnets` and `security_groups` go together; they and
    `network_isolation` are AWS's VpcConfig and EnableNetworkIsolation.

    Any value may be a Jinja template or another task's output. What is neither is checked here and now, and the rest
    once Airflow has rendered it: an `InvalidModel` names every field that is wrong, its value, the rule and the remedy.
    """

    role: Text
    containers: Sequence[Container | Mapping[str, Any]] | None = None
    subnets: Sequence[Text] | Text | None = None
    security_groups: Sequence[Text] | Text | None = None
    network_isolation: Flag | None = None

    def __post_init__(self) -> None:
        check(self.to_dict())

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> ModelDefinition:
        """Read what `to_dict` wrote, rendered: texts become the flags and lists that they spell."""
        return cls(**check(values))

    def resolved(self, latest: Callable[[str], str]) -> ModelDefinition:
        """Put the package that `latest` names in the place of each package group; every value must be known by now."""

        def chosen(container: Mapping[str, Any]) -> dict[str, Any]:
            others = {name: value for name, value in container.items() if name != "package_group"}
            return others | ({"package": latest(container["package_group"])} if "package_group" in container else {})

        values = self._known()
        containers = {"containers": [chosen(one.to_dict()) for one in values.get("containers", ())]}
        return type(self)(**chosen(values) | (containers if "containers" in values else {}))

    def to_request(self, name: str, tags: Mapping[str, str] | None = None) -> Request:
        """Write it as a CreateModel request; every value must be known by now, and groups be resolved."""
        values = self._known()
        containers = [one.to_dict() for one in values.get("containers", ())] or [values]
        groups = [one["package_group"] for one in containers if "package_group" in one]
        remedy = "Name one of the group's packages."
        refuse(InvalidModel, "model", (Problem("package_group", one, "is not resolved", remedy) for one in groups))
        request: Request = {"ModelName": name}
        for member, how in _MODEL.items():
            if member in values:
                put(request, how.path, values[member])
        sent = [{how.path: one[member] for member, how in _CONTAINER.items() if member in one} for one in containers]
        request |= {"Containers": sent} if "containers" in values else {"PrimaryContainer": sent[0]}
        return request | ({"Tags": tag_list(tags)} if tags else {})

    def _known(self) -> dict[str, Any]:
        """Give what the definition says, read; InvalidModel for what Airflow has yet to render."""
        values = self.to_dict()
        remedy = "Let Airflow render it first."
        refuse(
            InvalidModel,
            "model",
            (Problem(name, "...", "is not known yet", remedy) for name, value in values.items() if is_open(value)),
        )
        return check(values)

    @property
    def digest(self) -> str:
        """A short text that stands for the content: for all that a request says but the name and the tags."""
        return short_digest(self.to_request(""))


def _plain(value: Any) -> Any:
    """Take containers apart, and make mappings and sequences such as JSON has."""
    match value:
        case Container():
            return value.to_dict()
        case Mapping():
            return {name: _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case _:
            return value


# ----------------------------------------------------------------------------------------------------- one by one


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a definition: its path in AWS's request, how it is read, and what to do about a wrong value."""

    path: str
    read: Callable[[Any], Any]
    remedy: str


def _text(pattern: str, most: int, least: int = 1) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"must be a text, not {type(value).__name__}")
        if not least <= len(value) <= most:
            raise ValueError(f"must have {least} to {most} characters")
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must match {pattern}")
        return value

    return read


def _ids(most: int, what: str) -> Callable[[Any], list[str]]:
    read_all = options.matching(NETWORK_ID_PATTERN, what)

    def read(value: Any) -> list[str]:
        found = read_all(value)
        if not 1 <= len(found) <= most:
            raise ValueError(f"must be 1 to {most} {what}")
        return sorted(set(found))

    return read


def _environment(value: Any) -> dict[str, str]:
    """Read variables; no rule shows a value, which may be a secret."""
    if not isinstance(value, Mapping):
        raise TypeError("must be a mapping of names to texts")
    if len(value) > MAX_VARIABLES:
        raise ValueError(f"must have at most {MAX_VARIABLES} entries")
    known = {name: text for name, text in value.items() if not is_open(name) and not is_open(text)}
    for name, text in known.items():
        if not isinstance(name, str) or not re.fullmatch(VARIABLE_PATTERN, name) or len(name) > MAX_VARIABLE_LENGTH:
            raise ValueError(f"the name {name!r} must match {VARIABLE_PATTERN}")
        if not isinstance(text, str) or len(text) > MAX_VARIABLE_LENGTH:
            raise ValueError(f"the value of {name!r} must be a text of at most {MAX_VARIABLE_LENGTH} characters")
    if (size := sum(len(name) + len(text) for name, text in known.items())) > MAX_ENVIRONMENT:
        raise ValueError(f"has {size} characters, more than {MAX_ENVIRONMENT}")
    return dict(value)


def _containers(value: Any) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise TypeError("must be a list of containers")
    if not 1 <= len(value) <= MAX_CONTAINERS:
        raise ValueError(f"must be 1 to {MAX_CONTAINERS} containers")
    return value


_CONTAINER: Mapping[str, _Member] = {
    "image": _Member("Image", _text(r"[\S]+", 255), "Give the URI of an image in ECR that serves the model."),
    "package": _Member(
        "ModelPackageName", _text(_NAME + r"(\/[0-9]{1,9})?", 176), "Give the ARN of a model package, or its name."
    ),
    "inference_specification": _Member(
        "InferenceSpecificationName", _text(ENTITY_PATTERN, 63), "Give one of the names that the package tells."
    ),
    "data": _Member("ModelDataUrl", _text(S3_URI_PATTERN, 1024), "Give an archive, such as s3://bucket/model.tar.gz."),
    "environment": _Member("Environment", _environment, "Name variables by letters, digits and underscores."),
    "hostname": _Member("ContainerHostname", _text(ENTITY_PATTERN, 63), "Use letters, digits and hyphens inside."),
}
_MODEL: Mapping[str, _Member] = {
    "role": _Member("ExecutionRoleArn", _text(ROLE_PATTERN, 2048, 20), "Give arn:aws:iam::<account>:role/<name>."),
    "subnets": _Member("VpcConfig.Subnets", _ids(16, "ids of subnets"), "Give ids such as subnet-0a1b2c3d."),
    "security_groups": _Member(
        "VpcConfig.SecurityGroupIds", _ids(5, "ids of security groups"), "Give ids such as sg-0a1b2c3d."
    ),
    "network_isolation": _Member("EnableNetworkIsolation", options.flag, "Give true or false."),
}
# What SageMaker has no member for.
_OURS: Mapping[str, _Member] = {
    "package_group": _Member("", _text(_NAME, 170), "Give the ARN of a model package group, or its name."),
    "containers": _Member("", _containers, "List containers in the order in which data goes through them."),
}
_SOURCES = ("image", "package", "package_group")
_OF_CONTAINERS = {**_CONTAINER, "package_group": _OURS["package_group"]}
_OF_MODELS = {**_CONTAINER, **_MODEL, **_OURS}
# What may be looked at though a template is somewhere in it.
_NESTED = (Mapping, list, tuple)


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a definition says, read as far as it is known by now; InvalidModel names everything that is wrong."""
    found, problems = _read(_OF_MODELS, _plain(values), "")
    if "role" not in {*found, *(problem.field for problem in problems)}:
        problems.append(Problem("role", None, "is required", _MODEL["role"].remedy))
    listed = found["containers"] if isinstance(found.get("containers"), list) else []
    containers = [
        _read(_OF_CONTAINERS, one, f"containers[{at}].") for at, one in enumerate(listed) if isinstance(one, Mapping)
    ]
    for at, (container, wrong) in enumerate(containers):
        problems += [*wrong, *_of_container(container, f"containers[{at}].")]
    refuse(InvalidModel, "model", [*problems, *_of_model(found), *_of_pipeline([one for one, _ in containers])])
    return {**found, **({"containers": [Container(**one) for one, _ in containers]} if containers else {})}


def _read(
    members: Mapping[str, _Member], values: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], list[Problem]]:
    """Read all values that are given and known; what an unset parameter renders to is not given."""
    found: dict[str, Any] = {}
    problems = []
    for name, value in values.items():
        if value in (None, "", "None"):
            continue
        if (member := members.get(name)) is None:
            rule, known = "is no member of a model's definition", f"Known: {', '.join(members)}."
            problems.append(Problem(where + name, type(value).__name__, rule, known))
            continue
        found[name] = value
        if is_open(value) and not (name in ("environment", "containers") and isinstance(value, _NESTED)):
            continue
        try:
            found[name] = member.read(value)
        except (ValueError, TypeError) as error:
            problems.append(Problem(where + name, _shown(name, value), str(error), member.remedy))
    return found, problems


def _shown(name: str, value: Any) -> Any:
    """Give what a problem may show of a value: nothing of a variable's, which may be a secret."""
    if name not in ("environment", "containers"):
        return value
    return list(value) if isinstance(value, Mapping) else type(value).__name__


# ------------------------------------------------------------------------------------------------------ together


def _of_container(found: Mapping[str, Any], where: str) -> Iterator[Problem]:
    given = [name for name in _SOURCES if name in found]
    if len(given) != 1:
        remedy = "Give the URI of an image, a model package, or a model package group."
        yield Problem(where + " | ".join(_SOURCES), given, "must be given, just one of them", remedy)
    for name, why in (("data", "goes with an image"), ("inference_specification", "goes with a model package")):
        if name in found and given and ("image" in given) != (name == "data"):
            yield Problem(where + name, found[name], why, "Leave it out.")


def _of_model(found: Mapping[str, Any]) -> Iterator[Problem]:
    if "containers" not in found:
        yield from _of_container(found, "")
    elif beside := [name for name in _OF_CONTAINERS if name in found]:
        yield Problem(", ".join(beside), "...", "cannot stand beside containers", "Say it of one of the containers.")
    pair = ("subnets", "security_groups")
    for name, other in (pair, pair[::-1]):
        if name in found and other not in found:
            yield Problem(other, None, f"is required with {name}", _MODEL[other].remedy)


def _of_pipeline(containers: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    # API reference, ContainerHostname: for all containers of a pipeline or for none, and unique.
    names = [container["hostname"] for container in containers if "hostname" in container]
    if names and len(names) < len(containers):
        yield Problem("containers", names, "must all have a hostname, or none of them", "Name the others too.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield Problem("containers", twice, "is the hostname of two containers", "Give each a hostname of its own.")
