"""What is on record of each attempt: an intent before its job is created, the mapping of inputs to outputs after."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from airflow_batchtx.errors import MalformedRecord, ObjectNotFound
from airflow_batchtx.spec.intent import Intent, ObjectState
from airflow_batchtx.spec.manifest import PreparedManifest, as_json
from airflow_batchtx.spec.record import Record
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.storage.port import ObjectStore, StoredObject

INTENT, SENT, RECORD = "intent.json", "sent.json", "record.json"
_DIGEST = 12  # hexadecimal digits
JSON = "application/json"
DEFAULT_FOLDER = "_batchtx/"


def state_of(found: StoredObject) -> ObjectState:
    """Give what tells one state of an object from another."""
    modified = found.last_modified.isoformat() if found.last_modified else ""
    return ObjectState(etag=found.etag, modified=modified)


def default_prefix(output: S3Uri) -> S3Uri:
    """Give where attempts are kept unless a user says otherwise: beside the output, in its bucket."""
    return S3Uri(output.bucket, DEFAULT_FOLDER)


@dataclass(frozen=True, slots=True)
class Written:
    """An intent as it lies in the store; `etag` is needed to put another in its place."""

    intent: Intent
    etag: str


@dataclass(frozen=True, slots=True)
class Sent:
    """How many objects an attempt sends, below which prefix their outputs come, and since when.

    `since` is a time of S3's own clock, before the job was made.
    """

    objects: int
    output: S3Uri
    since: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """The control folder of attempts, one folder a job name below `prefix`."""

    store: ObjectStore
    prefix: S3Uri

    @classmethod
    def of(cls, store: ObjectStore, folder: S3Uri) -> Ledger:
        """Open the ledger that an attempt's folder, such as `s3://bucket/_batchtx/<job name>/`, belongs to."""
        return cls(store, S3Uri(folder.bucket, folder.key.rstrip("/")).folder)

    def folder(self, job_name: str) -> S3Uri:
        """Give an attempt's folder."""
        return (self.prefix / job_name).as_folder()

    def intent(self, job_name: str) -> Written | None:
        """Read what an attempt was about to do; None where nobody said so."""
        uri = self.folder(job_name) / INTENT
        try:
            state = self.store.stat(uri)
            return Written(Intent.read(self.store.get(uri)), state.etag)
        except ObjectNotFound:
            return None

    def announced(self, job_name: str) -> str | None:
        """Tell by S3's own clock (ISO 8601) when an intent was written; None where there is none."""
        try:
            return state_of(self.store.stat(self.folder(job_name) / INTENT)).modified
        except ObjectNotFound:
            return None

    def announce(self, intent: Intent, instead_of: Written | None = None) -> None:
        """Write an intent, if there is none yet, or in the place of just that one; else ObjectChanged."""
        kept = {"if_absent": True} if instead_of is None else {"if_match": instead_of.etag}
        folder = self.folder(intent.job_name)
        self.store.put(folder / INTENT, intent.to_json(), content_type=JSON, **kept)
        # An intent grows with its objects; who only counts outputs, in a triggerer for one, is not to parse it.
        sent = {"objects": sum(one.done is None for one in intent.objects), "output": intent.output}
        self.store.put(folder / SENT, as_json(sent), content_type=JSON)

    def sent(self, job_name: str) -> Sent | None:
        """Tell what an attempt's outputs are counted by; None where that was not written."""
        uri = self.folder(job_name) / SENT
        try:
            known, since = json.loads(self.store.get(uri)), self.store.stat(uri).last_modified
            return Sent(int(known["objects"]), S3Uri.parse(known["output"]), since) if since else None
        except ObjectNotFound:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedRecord(f"not what an attempt sends: {error!r}") from error

    def put_manifest(self, job_name: str, body: bytes) -> S3Uri:
        """Write an attempt's input manifest, for SageMaker to read.

        It is named by its content: a process that means another input must not put it in this one's place.
        """
        return self._put_named(job_name, "manifest", body)

    def put_prepared(self, job_name: str, prepared: PreparedManifest) -> S3Uri:
        """Write what several prepare tasks made as one manifest, for associate to read; named by its content too."""
        return self._put_named(job_name, "prepared", prepared.to_json())

    def _put_named(self, job_name: str, what: str, body: bytes) -> S3Uri:
        uri = self.folder(job_name) / f"{what}-{hashlib.sha256(body).hexdigest()[:_DIGEST]}.json"
        self.store.put(uri, body, content_type=JSON)
        return uri

    def conclude(self, record: Record) -> S3Uri:
        """Write what an attempt came to."""
        uri = self.folder(record.job_name) / RECORD
        self.store.put(uri, record.to_json(), content_type=JSON)
        return uri

    def record(self, job_name: str) -> Record | None:
        """Read what an attempt came to; None where that was never written."""
        try:
            return Record.read(self.store.get(self.folder(job_name) / RECORD))
        except ObjectNotFound:
            return None
