"""What SageMaker would refuse, found before it is asked: every problem of a request at once.

Values that Airflow has yet to render are passed over; the same checks run again once they are known.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from airflow_batchtx.errors import Problem
from airflow_batchtx.spec import limits, wire
from airflow_batchtx.spec.enums import JoinSource, S3DataType
from airflow_batchtx.spec.media import media_type
from airflow_batchtx.spec.members import BY_NAME, BY_PATH, MEMBERS, Kind, Member
from airflow_batchtx.spec.prepared import PreparedInput, disagreements, settled
from airflow_batchtx.spec.templates import is_open

Values = Mapping[str, Any]


def problems(request: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield everything that is wrong with a CreateTransformJob request, as far as its values are known.

    A prepared input counts with all that it brings.
    """
    known_request, prepared = settled(wire.coerced(request))
    values = wire.flat(known_request)
    for rule in disagreements(prepared):
        yield Problem(_label("input"), values["input"], rule, "Give each its own job.")
    wrong = {member.name: tuple(_member_problems(member, values.get(member.name))) for member in MEMBERS}
    for found in wrong.values():
        yield from found
    # Members that are wrong by themselves are not looked at together.
    known = {name: value for name, value in values.items() if not is_open(value) and not wrong[name]}
    for together in RULES:
        yield from together(known)


def doubts(request: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what looks wrong, but may only be newer than this package: unknown members and instance types."""
    for path in wire.strangers(request):
        near = difflib.get_close_matches(path, BY_PATH, n=1)
        remedy = f"Did you mean {near[0]}?" if near else "Look it up in the API reference of CreateTransformJob."
        yield Problem(path, wire.at(request, path), "is no member of CreateTransformJob that is known here", remedy)
    instance_type = wire.flat(request).get("instance_type")
    if isinstance(instance_type, str) and _is_new_instance_type(instance_type):
        near = difflib.get_close_matches(instance_type, limits.INSTANCE_TYPES, n=3)
        remedy = f"Known and near: {', '.join(near)}." if near else "Look it up in the price list of SageMaker."
        yield Problem(_label("instance_type"), instance_type, "is no instance type that is known here", remedy)


def _is_new_instance_type(name: str) -> bool:
    return name not in limits.INSTANCE_TYPES and bool(re.fullmatch(limits.INSTANCE_TYPE_PATTERN, name))


# ------------------------------------------------------------------------------------------------ one by one


def _member_problems(member: Member, value: Any) -> Iterator[Problem]:
    if value is None:
        if member.required:
            yield Problem(member.label, None, "is required", member.remedy)
    elif not is_open(value) or isinstance(value, Mapping | list | tuple):
        # The values of an environment may be secrets, and problems are logged.
        shown = _names(value) if member.kind is Kind.TEXTS else value
        for rule in BROKEN[member.kind](member, value):
            yield Problem(member.label, shown, rule, member.remedy)


def _names(value: Any) -> Any:
    return list(value) if isinstance(value, Mapping) else type(value).__name__


def _text(member: Member, value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"must be a text, not {type(value).__name__}"
    elif member.values is not None and member.name != "instance_type":
        if value not in member.values:
            yield f"must be one of {', '.join(member.values)}"
    else:
        yield from tuple(_bounds(member, len(value), "characters")) or _pattern(member, value)


def _pattern(member: Member, value: str) -> Iterator[str]:
    if member.pattern is not None and not re.fullmatch(member.pattern, value, re.DOTALL):
        yield _IN_WORDS.get(member.pattern, f"must match {member.pattern}")


# Of patterns that say little to people.
_IN_WORDS: Mapping[str, str] = {
    limits.S3_URI_PATTERN: "must be s3://bucket/key, or https://s3.<Region>.amazonaws.com/bucket/key",
    limits.PREFIX_PATTERN: "must have a letter or a digit in it",
}


def _integer(member: Member, value: Any) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield "must be a whole number"
    else:
        yield from _bounds(member, value, "")


def _flag(_: Member, value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield "must be true or false"


def _texts(member: Member, value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield "must be a mapping of names to texts"
        return
    yield from _bounds(member, len(value), "entries")
    for name, text in value.items():
        if is_open(name) or is_open(text):
            continue
        if not isinstance(name, str) or not re.fullmatch(member.pattern or "", name):
            yield f"the name {name!r} must match {member.pattern}"
        if not isinstance(text, str) or len(text) > limits.ENVIRONMENT_VALUE_LENGTH:
            yield f"the value of {name!r} must be a text of at most {limits.ENVIRONMENT_VALUE_LENGTH} characters"


def _tags(member: Member, value: Any) -> Iterator[str]:
    if not isinstance(value, list) or not all(
        isinstance(tag, Mapping) and tag.keys() == {"Key", "Value"} for tag in value
    ):
        yield "must be a list of {'Key': ..., 'Value': ...}"
        return
    yield from _bounds(member, len(value), "tags")
    keys = [tag["Key"] for tag in value]
    yield from (f"the key {key!r} is there twice" for key in dict.fromkeys(keys) if keys.count(key) > 1)
    yield from (f"the key {key!r} is reserved to AWS" for key in keys if re.match(limits.RESERVED_TAG, str(key)))
    for tag in value:
        for part, least, most in (("Key", 1, limits.TAG_KEY_LENGTH), ("Value", 0, limits.TAG_VALUE_LENGTH)):
            text = tag[part]
            if not is_open(text) and not _is_tag(text, least, most):
                yield f"{part} {text!r} must be {least} to {most} letters, digits, blanks or _.:/=+-@"


def _is_tag(text: object, least: int, most: int) -> bool:
    return isinstance(text, str) and least <= len(text) <= most and bool(re.fullmatch(limits.TAG_PATTERN, text))


def _input(member: Member, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from _inputs(member, value)
    elif not isinstance(value, str):
        if PreparedInput.read(value) is None:
            yield "must be an S3 URI, a list of them, or what a PrepareInputOperator returned"
    else:
        yield from _text(member, value)


def _inputs(member: Member, values: Sequence[Any]) -> Iterator[str]:
    if not values:
        yield "must name at least one prefix or object"
    known = [value for value in values if not is_open(value)]
    if any(isinstance(value, Mapping) for value in known):
        yield "must be S3 URIs, or else what PrepareInputOperators returned, all of them"
        return
    for value in known:
        yield from (f"{value!r} {rule}" for rule in _text(member, value))
    texts = Counter(value for value in known if isinstance(value, str))
    yield from (f"{text!r} is there twice" for text, count in texts.items() if count > 1)
    found = (re.fullmatch(member.pattern or "", text, re.DOTALL) for text in texts)
    buckets = dict.fromkeys(uri[1] for uri in found if uri)
    if len(buckets) > 1:
        # API reference, S3DataSource: the objects of a manifest cannot come from different buckets.
        yield f"must be in one bucket, not in {', '.join(buckets)}"


def _bounds(member: Member, size: int, unit: str) -> Iterator[str]:
    if member.minimum is not None and size < member.minimum:
        yield f"must have at least {member.minimum} {unit}" if unit else f"must be at least {member.minimum}"
    if member.maximum is not None and size > member.maximum:
        yield f"must have at most {member.maximum} {unit}" if unit else f"must be at most {member.maximum}"


BROKEN: Mapping[Kind, Callable[[Member, Any], Iterator[str]]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.FLAG: _flag,
    Kind.TEXTS: _texts,
    Kind.TAGS: _tags,
    Kind.INPUT: _input,
}


# -------------------------------------------------------------------------------------------------- together


def _one_manifest(values: Values) -> Iterator[Problem]:
    given = values.get("input")
    if isinstance(given, list) and values.get("s3_data_type") == S3DataType.MANIFEST_FILE:
        rule = "must be the S3 URI of one manifest with s3_data_type = ManifestFile"
        yield Problem(_label("input"), given, rule, "Leave s3_data_type out: a list needs no manifest of yours.")


def _payload_product(values: Values) -> Iterator[Problem]:
    concurrent, payload = values.get("max_concurrent_transforms"), values.get("max_payload_in_mb")
    if (
        isinstance(concurrent, int)
        and isinstance(payload, int)
        and payload > 0
        and concurrent * payload > limits.MAX_PAYLOAD_PRODUCT_MB
    ):
        yield Problem(
            f"{_label('max_concurrent_transforms')} x {_label('max_payload_in_mb')}",
            concurrent * payload,
            f"must be at most {limits.MAX_PAYLOAD_PRODUCT_MB} MB on an instance",
            f"{payload} MB leave room for {max(limits.MAX_PAYLOAD_PRODUCT_MB // payload, 1)} requests at once.",
        )


def _join_types(values: Values) -> Iterator[Problem]:
    if values.get("join_source") != JoinSource.INPUT:
        return
    # Developer guide, batch-transform-data-processing: the two must match for a join. A prepared input that is not
    # known yet will bring what is left out; otherwise a split or assembly that is left out is None.
    silent = "None" if "input" in values else None
    for ours, theirs, default in (("accept", "content_type", None), ("assemble_with", "split_type", silent)):
        mine, other = values.get(ours, default), values.get(theirs, default)
        if mine is not None and other is not None and media_type(mine) != media_type(other):
            yield Problem(
                f"{_label(ours)}, with join_source = Input",
                mine,
                f"must equal {_label(theirs)}, which is {other!r}",
                "Give both the same value, or join after the job with AssociateOutputOperator.",
            )


def _processed_type(values: Values) -> Iterator[Problem]:
    asked = [name for name in ("input_filter", "output_filter") if values.get(name, "$") != "$"]
    asked += ["join_source"] * (values.get("join_source") == JoinSource.INPUT)
    if not asked:
        return
    # Without a type nothing can be parsed; a prepared input that is not known yet will bring one.
    silent = "" if "input" in values else None
    accept = values.get("accept", values.get("content_type", silent))
    for name, given in (("content_type", values.get("content_type", silent)), ("accept", accept)):
        if isinstance(given, str) and media_type(given) not in limits.PROCESSED_TYPES:
            yield Problem(
                _label(name),
                given,
                f"must be one of {', '.join(limits.PROCESSED_TYPES)} with {', '.join(asked)}",
                "Filters and joins parse records; leave them out for other types.",
            )


def _filters(values: Values) -> Iterator[Problem]:
    for name in ("input_filter", "output_filter"):
        path = values.get(name)
        if not isinstance(path, str):
            continue
        if not path.startswith("$"):
            yield Problem(_label(name), path, "must begin with $", BY_NAME[name].remedy)
        operators = limits.JSON_PATH_OPERATORS
        if strange := sorted({c for c in path if not (c.isascii() and c.isalnum()) and c not in operators}):
            # The service says so at create time, for all media types: boto/boto3#3136.
            yield Problem(
                _label(name),
                path,
                f"may not hold {' '.join(strange)}: only letters, digits and {' '.join(operators)}",
                "Rename the field in the data, or associate after the job with AssociateOutputOperator.",
            )


def _ranges(values: Values) -> Iterator[Problem]:
    for name in ("input_filter", "output_filter"):
        path = values.get(name)
        if isinstance(path, str) and re.search(r"\[[^\]]*:[^\]]*:[^\]]*\]", path):
            # The service says so when the job runs: aws/sagemaker-python-sdk#1112.
            rule = "may hold one range in a pair of brackets, such as [1:5]"
            yield Problem(_label(name), path, rule, "List the indexes, or reorder the columns, so that one range does.")


def _csv_paths(values: Values) -> Iterator[Problem]:
    # Developer guide, batch-transform-data-processing: a record of CSV is an array.
    answered = values.get("accept", values.get("content_type"))
    for name, given in (("input_filter", values.get("content_type")), ("output_filter", answered)):
        path = values.get(name)
        if not isinstance(path, str) or not isinstance(given, str) or media_type(given) != "text/csv":
            continue
        if re.search(r"\.\s*[a-zA-Z0-9]|'", path):
            rule = "names an attribute, but a record of text/csv is a list of columns"
            yield Problem(_label(name), path, rule, "Count columns from 0: $[0], $[1:], $[0,-1].")


def _capture(values: Values) -> Iterator[Problem]:
    given = [name for name in ("data_capture_kms_key_id", "generate_inference_id") if name in values]
    if given and "data_capture_destination" not in values:
        member = BY_NAME["data_capture_destination"]
        yield Problem(member.label, None, f"is required with {', '.join(given)}", member.remedy)


def _csv_lines(values: Values) -> Iterator[Problem]:
    # Developer guide, batch-transform-data-processing: text/csv is split and assembled by line.
    joined = values.get("join_source") == JoinSource.INPUT
    for name, type_name, filter_name in (
        ("split_type", "content_type", "input_filter"),
        ("assemble_with", "accept", "output_filter"),
    ):
        given = values.get(type_name, values.get("content_type"))
        parsed = joined or values.get(filter_name, "$") != "$"
        if parsed and "input" in values and media_type(given) == "text/csv" and values.get(name) != "Line":
            rule = "must be Line for filters and joins on text/csv"
            yield Problem(_label(name), values.get(name), rule, BY_NAME[name].remedy)


def _volume_key(values: Values) -> Iterator[Problem]:
    family = str(values.get("instance_type", "")).partition(".")[2].partition(".")[0]
    if "volume_kms_key_id" in values and family in limits.LOCAL_STORAGE:
        member = BY_NAME["volume_kms_key_id"]
        rule = f"is not taken for ml.{family}: its local storage has its own encryption"
        yield Problem(member.label, values[member.name], rule, "Leave it out.")


RULES: tuple[Callable[[Values], Iterator[Problem]], ...] = (
    _one_manifest,
    _payload_product,
    _join_types,
    _processed_type,
    _filters,
    _ranges,
    _csv_paths,
    _capture,
    _csv_lines,
    _volume_key,
)


def _label(name: str) -> str:
    return BY_NAME[name].label
