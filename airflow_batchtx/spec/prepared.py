"""What a prepare task publishes: everything that the transform and the association need to know of its shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from airflow_batchtx.spec import wire
from airflow_batchtx.spec.enums import SplitType
from airflow_batchtx.spec.members import BY_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedInput:
    """Shards ready for a model. `manifest` is the object that lists every shard, its rows, sha256 and kept columns.

    It stands for itself as a job's input: its media type, split type and prefix fill what the job leaves out.
    """

    input: str
    manifest: str
    content_type: str
    split_type: str
    assemble_with: str
    shards: int
    rows: int
    quarantined: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON (a small XCom)."""
        return asdict(self)

    @classmethod
    def read(cls, value: object) -> PreparedInput | None:
        """Recognise what `to_dict` wrote; None for anything else.

        Members that a later version added are ignored, those with a default may be left out by an earlier one.
        """
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if not isinstance(value, Mapping) or not needed <= value.keys():
            return None
        return cls(**{field.name: value[field.name] for field in fields(cls) if field.name in value})

    @property
    def whole(self) -> bool:
        """Tell whether its shards are sent whole, as images and documents are."""
        return self.split_type == SplitType.NONE


INPUT_PATH = BY_NAME["input"].path


def prepared_inputs(source: object) -> tuple[PreparedInput, ...]:
    """Recognise what one prepare task returned, or a list of what several did, mapped ones for one; else none."""
    parts = source if isinstance(source, list | tuple) else [source]
    found = [PreparedInput.read(part) for part in parts]
    prepared = tuple(one for one in found if one is not None)
    return prepared if len(prepared) == len(found) else ()


def disagreements(prepared: Sequence[PreparedInput]) -> Iterator[str]:
    """Say why several prepared inputs are not one job's."""
    for name in ("content_type", "split_type", "assemble_with"):
        if len(values := dict.fromkeys(getattr(one, name) for one in prepared)) > 1:
            yield f"must have one {name}, not {', '.join(values)}"
    manifests = [one.manifest for one in prepared]
    yield from (f"{uri} is there twice" for uri in dict.fromkeys(manifests) if manifests.count(uri) > 1)


def settled(request: wire.Request) -> tuple[wire.Request, tuple[PreparedInput, ...]]:
    """Put S3 prefixes in the place of prepared inputs, and fill in what they know where the request is silent."""
    prepared = prepared_inputs(wire.at(request, INPUT_PATH))
    settled = wire.copied(request)
    if not prepared:
        return settled, ()
    for name, value in {**_known(prepared[0]), **wire.flat(request), "input": _prefixes(prepared)}.items():
        wire.put(settled, BY_NAME[name].path, value)
    return settled, prepared


def _known(prepared: PreparedInput) -> dict[str, Any]:
    known = {
        "content_type": prepared.content_type,
        "split_type": prepared.split_type,
        "assemble_with": prepared.assemble_with,
    }
    # A model that answers in the type that it was sent, one line a record, is what associate can prove. Of images and
    # documents there is no telling.
    return known if prepared.whole else {**known, "accept": prepared.content_type}


def _prefixes(prepared: Sequence[PreparedInput]) -> str | list[str]:
    prefixes = list(dict.fromkeys(one.input for one in prepared))
    return prefixes[0] if len(prefixes) == 1 else prefixes
