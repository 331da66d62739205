"""What a prepare task publishes: everything that the transform and the association need to know of its shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from airflow_batchtx.spec import wire
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

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON (a small XCom)."""
        return asdict(self)

    @classmethod
    def read(cls, value: object) -> PreparedInput | None:
        """Recognise what `to_dict` wrote; None for anything else. Members that a later version added are ignored."""
        names = {field.name for field in fields(cls)}
        if not isinstance(value, Mapping) or not names <= value.keys():
            return None
        return cls(**{name: value[name] for name in names})


INPUT_PATH = BY_NAME["input"].path


def settled(request: wire.Request) -> tuple[wire.Request, PreparedInput | None]:
    """Put the S3 prefix in the place of a prepared input, and fill in what it knows where the request is silent."""
    source = wire.at(request, INPUT_PATH)
    prepared = PreparedInput.read(source)
    settled = wire.copied(request)
    if prepared is None:
        return settled, None
    known = {
        "content_type": prepared.content_type,
        "split_type": prepared.split_type,
        # A model that answers in the type that it was sent, one line a record, is what associate can prove.
        "accept": prepared.content_type,
        "assemble_with": prepared.assemble_with,
        **wire.flat(request),
        "input": prepared.input,
    }
    for name, value in known.items():
        wire.put(settled, BY_NAME[name].path, value)
    return settled, prepared
