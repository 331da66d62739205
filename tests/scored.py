"""Jobs that have ended, in memory: what they read, what they wrote, and what there is on record."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from airflow_batchtx.association.associate import associate
from airflow_batchtx.association.request import AssociateRequest
from airflow_batchtx.spec.associated import AssociatedManifest, AssociatedOutput
from airflow_batchtx.spec.intent import ObjectState
from airflow_batchtx.spec.manifest import PreparedManifest, Shard
from airflow_batchtx.spec.record import Answered, Record
from airflow_batchtx.spec.uri import S3Uri
from tests.fakes import InMemoryStore, etag_of

OUTPUT = "s3://b/scored/"


def parquet_of(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@dataclass
class Scored:
    """Input objects and their answers, None for one without; with `kept` tables they were prepared."""

    inputs: Sequence[bytes]
    answers: Sequence[bytes | None]
    kept: Sequence[pa.Table] | None = None
    result: dict[str, Any] = field(default_factory=dict)
    store: InMemoryStore = field(default_factory=lambda: InMemoryStore(buckets=["b"]))

    def __post_init__(self) -> None:
        for number, body in enumerate(self.inputs):
            self.store.put(self.source(number), body)
        if self.kept is not None:
            self._keep(self.kept)
        for number, answer in enumerate(self.answers):
            if answer is not None:
                self.store.put(self.target(number), answer)
        told = {"job_name": "job-1", "status": "Completed", "input": "s3://b/in/shards/", "output": "s3://b/out/"}
        self.result = told | {"content_type": "text/csv", "accept": "text/csv"} | self.result

    def source(self, number: int) -> S3Uri:
        return S3Uri("b", f"in/shards/part-{number:05}.csv")

    def target(self, number: int) -> S3Uri:
        return S3Uri("b", f"out/part-{number:05}.csv.out")

    def _keep(self, kept: Sequence[pa.Table]) -> None:
        shards = []
        for number, table in enumerate(kept):
            beside = S3Uri("b", f"in/kept/part-{number:05}.parquet")
            self.store.put(beside, parquet_of(table))
            uri = str(self.source(number))
            shards.append(Shard(uri=uri, rows=len(table), bytes=1, sha256="", kept=str(beside)))
        manifest = PreparedManifest(
            input="s3://b/in/shards/", content_type="text/csv", split_type="Line", columns=("x",), kept={}, source=(),
            shards=tuple(shards),
        )  # fmt: skip
        self.store.put(S3Uri("b", "in/manifest.json"), manifest.to_json())
        self.result |= {"prepared": "s3://b/in/manifest.json", "rows": manifest.rows, "objects": len(shards)}

    def on_record(self) -> None:
        """Put on record which output answers which input, and which has none."""
        objects = []
        for number, body in enumerate(self.inputs):
            uri, there = self.target(number), self.answers[number]
            state = None
            if there is not None:
                state = ObjectState(etag=etag_of(there), modified=self.store.modified[uri].isoformat())
            objects.append(
                Answered(
                    input=str(self.source(number)), size=len(body), etag=etag_of(body), sha256=None, output=str(uri),
                    state=state, job_name="job-1",
                )
            )  # fmt: skip
        record = Record(job_name="job-1", result=self.result, objects=tuple(objects), empty=(), unexpected=())
        self.store.put(S3Uri("b", "control/record.json"), record.to_json())
        self.result["record"] = "s3://b/control/record.json"

    def associate(self, **options: Any) -> AssociatedOutput:
        return associate(self.store, self.request(**options))

    def request(self, **options: Any) -> AssociateRequest:
        return AssociateRequest.read({"result": self.result, "output": OUTPUT, **options})

    # ------------------------------------------------------------------------------------------- what was written

    def bodies(self, below: str = "") -> dict[str, bytes]:
        """Give the objects below the output by their paths."""
        found = self.store.objects(S3Uri.parse(OUTPUT + below))
        return {one.uri.key.removeprefix("scored/"): self.store.get(one.uri) for one in found}

    def manifest(self) -> AssociatedManifest:
        return AssociatedManifest.read(self.store.get(S3Uri.parse(OUTPUT) / "_manifest.json"))

    def rows(self) -> list[dict[str, Any]]:
        """Give the rows of all parts, in the order of the manifest."""
        manifest = self.manifest()
        bodies = [self.store.get(S3Uri.parse(part.uri)) for part in manifest.parts]
        return [row for body in bodies for row in READERS[manifest.format](body)]

    def dead(self) -> list[dict[str, Any]]:
        """Give all dead letters, as they lie there."""
        return [row for body in self.bodies("_dead_letters/").values() for row in READERS["parquet"](body)]


READERS = {
    "parquet": lambda body: pq.read_table(io.BytesIO(body)).to_pylist(),
    "csv": lambda body: arrow_csv.read_csv(io.BytesIO(body)).to_pylist(),
    "jsonlines": lambda body: [json.loads(line) for line in body.decode().split("\n")[:-1]],
}
