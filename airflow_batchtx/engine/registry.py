"""The jobs, models and tags that an engine knows, in SQLite: they outlive it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_batchtx.engine.arns import arn
from airflow_batchtx.engine.catalogue import CATALOGUE_SCHEMA, Catalogue
from airflow_batchtx.engine.database import Database, Query, put_tags, remove_tags
from airflow_batchtx.spec.enums import JobStatus
from airflow_batchtx.spec.lifecycle import NEXT, is_final

Document = dict[str, Any]

# Names are unique whatever their case (an ARN carries them in lower case), so `key` is the name in lower case.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS models (
    region TEXT, key TEXT, name TEXT, created REAL, request TEXT, PRIMARY KEY (region, key));
CREATE TABLE IF NOT EXISTS jobs (
    region TEXT, key TEXT, name TEXT, created REAL, request TEXT, model TEXT, status TEXT, modified REAL,
    started REAL, ended REAL, reason TEXT, PRIMARY KEY (region, key));
CREATE INDEX IF NOT EXISTS jobs_by_creation ON jobs (region, created, key);
CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (created, key);
CREATE TABLE IF NOT EXISTS work (region TEXT, key TEXT, objects INTEGER, PRIMARY KEY (region, key));
CREATE TABLE IF NOT EXISTS tags (arn TEXT, key TEXT, value TEXT, PRIMARY KEY (arn, key));
"""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as CreateModel gave it; `created` in epoch seconds."""

    region: str
    name: str
    created: float
    request: Document

    @property
    def arn(self) -> str:
        """The model's ARN."""
        return arn(self.region, "model", self.name)


@dataclass(frozen=True, slots=True)
class Job:
    """A transform job, with the model that it was created with. Times in epoch seconds."""

    region: str
    name: str
    created: float
    request: Document
    model: Model
    status: JobStatus
    modified: float
    started: float | None
    ended: float | None
    reason: str | None

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return arn(self.region, "transform-job", self.name)


class Registry:
    """Every method is atomic and may be called from any thread. `clock` gives epoch seconds.

    `changed` is called with a job and its tags for every change of its status, in their order; it must return at once
    and not call back.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float],
        changed: Callable[[Job, Mapping[str, str]], None] = lambda _, __: None,
    ) -> None:
        self._clock, self._changed = clock, changed
        self._db = Database(path, _SCHEMA + CATALOGUE_SCHEMA)
        self.catalogue = Catalogue(self._db, self._now)

    def close(self) -> None:
        """Close the file; the registry is of no use afterwards."""
        self._db.close()

    # --------------------------------------------------------------------------------------------------- models

    def add_model(self, region: str, name: str, request: Document, tags: Mapping[str, str]) -> Model | None:
        """Keep a new model; None if there is one of this name."""
        model = Model(region, name, self._now(), request)
        row = (region, name.lower(), name, model.created, json.dumps(request))
        return model if self._db.insert("INSERT INTO models VALUES (?, ?, ?, ?, ?)", row, model.arn, tags) else None

    def model(self, region: str, name: str) -> Model | None:
        """Find a model by its name."""
        rows = self._db.select("SELECT * FROM models WHERE region = ? AND key = ?", (region, name.lower()))
        return _model(rows[0]) if rows else None

    def remove_model(self, region: str, name: str) -> bool:
        """Forget a model and its tags; False if there is none."""
        with self._db.held() as db, db:
            remove_tags(db, arn(region, "model", name))
            done = db.execute("DELETE FROM models WHERE region = ? AND key = ?", (region, name.lower()))
            return done.rowcount > 0

    def models(self, region: str, query: Query) -> list[Model]:
        """List one page of models."""
        return [_model(row) for row in self._db.page("models", region, query)]

    # ----------------------------------------------------------------------------------------------------- jobs

    def add_job(self, region: str, name: str, request: Document, model: Model, tags: Mapping[str, str]) -> Job | None:
        """Keep a new job, InProgress; None if there is or ever was one of this name."""
        now = self._now()
        job = Job(region, name, now, request, model, JobStatus.IN_PROGRESS, now, None, None, None)
        kept = json.dumps({"name": model.name, "created": model.created, "request": model.request})
        row = (region, name.lower(), name, now, json.dumps(request), kept, str(job.status), now, None, None, None)
        if not self._db.insert("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row, job.arn, tags):
            return None
        self._changed(job, tags)
        return job

    def job(self, region: str, name: str) -> Job | None:
        """Find a job by its name."""
        rows = self._db.select("SELECT * FROM jobs WHERE region = ? AND key = ?", (region, name.lower()))
        return _job(rows[0]) if rows else None

    def jobs(self, region: str, query: Query) -> list[Job]:
        """List one page of jobs."""
        return [_job(row) for row in self._db.page("jobs", region, query)]

    def unfinished(self) -> list[Job]:
        """List the jobs of all Regions that have not ended."""
        open_ones = [str(status) for status in JobStatus if not is_final(status)]
        marks = ", ".join("?" * len(open_ones))
        return [_job(row) for row in self._db.select(f"SELECT * FROM jobs WHERE status IN ({marks})", open_ones)]  # noqa: S608

    def mark_started(self, job: Job) -> float | None:
        """Note that the instances of a job run, and give the TransformStartTime; None if it is InProgress no more."""
        now = self._now()
        values = (now, now, job.region, job.name.lower(), str(JobStatus.IN_PROGRESS))
        sql = "UPDATE jobs SET started = ?, modified = ? WHERE region = ? AND key = ? AND status = ?"
        with self._db.held() as db, db:
            return now if db.execute(sql, values).rowcount else None

    def move(self, job: Job, status: JobStatus, reason: str | None = None) -> bool:
        """Change a job's status if the life of a job allows it from where it stands now; tell if it did."""
        now = self._now()
        sources = [str(source) for source, following in NEXT.items() if status in following]
        ended = now if is_final(status) else None
        where = f"region = ? AND key = ? AND status IN ({', '.join('?' * len(sources))})"
        with self._db.held() as db:
            with db:
                done = db.execute(
                    f"UPDATE jobs SET status = ?, modified = ?, ended = ?, reason = ? WHERE {where}",  # noqa: S608
                    (str(status), now, ended, reason, job.region, job.name.lower(), *sources),
                )
            if done.rowcount:
                self._tell_change(db, job)
            return done.rowcount > 0

    def _tell_change(self, db: sqlite3.Connection, job: Job) -> None:
        """Tell how a job stands now, under the lock, so that changes are told in their order."""
        found = "SELECT * FROM jobs WHERE region = ? AND key = ?"
        row = db.execute(found, (job.region, job.name.lower())).fetchone()
        tags = db.execute("SELECT key, value FROM tags WHERE arn = ? ORDER BY rowid", (job.arn.lower(),))
        self._changed(_job(row), {tag["key"]: tag["value"] for tag in tags})

    # ------------------------------------------------------------------------------------------------- for people

    def note_objects(self, job: Job, count: int) -> None:
        """Keep how many objects a job has."""
        with self._db.held() as db, db:
            db.execute("INSERT OR REPLACE INTO work VALUES (?, ?, ?)", (job.region, job.name.lower(), count))

    def objects(self, job: Job) -> int | None:
        """Tell how many objects a job has; None until it has listed them."""
        where = (job.region, job.name.lower())
        for row in self._db.select("SELECT objects FROM work WHERE region = ? AND key = ?", where):
            return int(row[0])
        return None

    def newest(self, name: str, status: str, first: int, most: int) -> list[tuple[Job, int | None]]:
        """List jobs of all Regions with the count of their objects, newest first, from number `first` on (from 0).

        `name` is a part of their names in any case, `status` theirs; either may be empty.
        """
        rows = self._db.select(
            "SELECT jobs.*, objects FROM jobs LEFT JOIN work USING (region, key)"
            " WHERE instr(key, ?) > 0 AND (? = '' OR status = ?) ORDER BY created DESC, key DESC LIMIT ? OFFSET ?",
            (name.lower(), status, status, most, first),
        )
        return [(_job(row), row["objects"]) for row in rows]

    def count_by_status(self, name: str) -> dict[JobStatus, int]:
        """Count the jobs of all Regions whose names have a part `name`, in any case, by their status."""
        sql = "SELECT status, count(*) FROM jobs WHERE instr(key, ?) > 0 GROUP BY status"
        found = {row[0]: row[1] for row in self._db.select(sql, (name.lower(),))}
        return {status: found.get(str(status), 0) for status in JobStatus}

    # ----------------------------------------------------------------------------------------------------- tags

    def tags(self, resource: str) -> dict[str, str]:
        """Read the tags of an ARN, in the order in which they came."""
        rows = self._db.select("SELECT key, value FROM tags WHERE arn = ? ORDER BY rowid", (resource.lower(),))
        return {row["key"]: row["value"] for row in rows}

    def set_tags(self, resource: str, tags: Mapping[str, str]) -> None:
        """Add tags to an ARN; a key that is there takes the new value."""
        with self._db.held() as db, db:
            put_tags(db, resource, tags)

    def remove_tags(self, resource: str, keys: Sequence[str]) -> None:
        """Take tags off an ARN; keys that it does not have are passed over."""
        with self._db.held() as db, db:
            rows = [(resource.lower(), key) for key in keys]
            db.executemany("DELETE FROM tags WHERE arn = ? AND key = ?", rows)

    def _now(self) -> float:
        return round(self._clock(), 3)


def _model(row: sqlite3.Row) -> Model:
    return Model(row["region"], row["name"], row["created"], json.loads(row["request"]))


def _job(row: sqlite3.Row) -> Job:
    return Job(
        region=row["region"],
        name=row["name"],
        created=row["created"],
        request=json.loads(row["request"]),
        model=Model(row["region"], **json.loads(row["model"])),
        status=JobStatus(row["status"]),
        modified=row["modified"],
        started=row["started"],
        ended=row["ended"],
        reason=row["reason"],
    )
