"""The model packages that an engine knows, and the groups that they are versions of."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.engine.arns import arn
from airflow_batchtx.engine.database import Database, Query, remove_tags

Document = dict[str, Any]

# `versions` is the highest version that a group ever had: none is given twice.
CATALOGUE_SCHEMA = """
CREATE TABLE IF NOT EXISTS package_groups (
    region TEXT, key TEXT, name TEXT, created REAL, request TEXT, versions INTEGER, PRIMARY KEY (region, key));
CREATE TABLE IF NOT EXISTS packages (
    region TEXT, key TEXT, name TEXT, version INTEGER, created REAL, modified REAL, approval TEXT, request TEXT,
    PRIMARY KEY (region, key));
"""


@dataclass(frozen=True, slots=True)
class PackageGroup:
    """A group as CreateModelPackageGroup gave it; `created` in epoch seconds."""

    region: str
    name: str
    created: float
    request: Document

    @property
    def arn(self) -> str:
        """The group's ARN."""
        return arn(self.region, "model-package-group", self.name)


@dataclass(frozen=True, slots=True)
class Package:
    """A model package: version `version` of the group `name`, or with version 0 one of that name alone.

    `approval` is its ModelApprovalStatus, None where it has none. Times in epoch seconds, `modified` None until it is.
    """

    region: str
    name: str
    version: int
    created: float
    modified: float | None
    approval: str | None
    request: Document

    @property
    def key(self) -> str:
        """What sorts packages by name, and those of a group by version."""
        return package_key(self.name, self.version)

    @property
    def arn(self) -> str:
        """The package's ARN."""
        return package_arn(self.region, self.name, self.version)


def package_key(name: str, version: int) -> str:
    """Name a package uniquely within its Region."""
    # A version has nine digits at most, as patterns of the service model say.
    return f"{name.lower()}/{version:09}" if version else name.lower()


def package_arn(region: str, name: str, version: int) -> str:
    """Name a package as AWS does."""
    return arn(region, "model-package", f"{name}/{version}" if version else name)


class Catalogue:
    """Every method is atomic and may be called from any thread. `now` gives epoch seconds."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._db, self._now = database, now

    def add_group(self, region: str, name: str, request: Document, tags: Mapping[str, str]) -> PackageGroup | None:
        """Keep a new group; None if there is one of this name."""
        group = PackageGroup(region, name, self._now(), request)
        row = (region, name.lower(), name, group.created, json.dumps(request), 0)
        added = self._db.insert("INSERT INTO package_groups VALUES (?, ?, ?, ?, ?, ?)", row, group.arn, tags)
        return group if added else None

    def group(self, region: str, name: str) -> PackageGroup | None:
        """Find a group by its name."""
        for row in self._db.select("SELECT * FROM package_groups WHERE region = ? AND key = ?", (region, name.lower())):
            return _group(row)
        return None

    def groups(self, region: str, query: Query) -> list[PackageGroup]:
        """List one page of groups."""
        return [_group(row) for row in self._db.page("package_groups", region, query)]

    def remove_group(self, group: PackageGroup) -> bool:
        """Forget a group and its tags; False if it has versions."""
        key = (group.region, group.name.lower())
        versions = "SELECT 1 FROM packages WHERE region = ? AND lower(name) = ? AND version > 0 LIMIT 1"
        with self._db.held() as db, db:
            if db.execute(versions, key).fetchone():
                return False
            remove_tags(db, group.arn)
            db.execute("DELETE FROM package_groups WHERE region = ? AND key = ?", key)
        return True

    def add_version(self, group: PackageGroup, approval: str, request: Document) -> Package | None:
        """Keep the next version of a group; None if the group is there no more."""
        key = (group.region, group.name.lower())
        with self._db.held() as db, db:
            db.execute("UPDATE package_groups SET versions = versions + 1 WHERE region = ? AND key = ?", key)
            found = db.execute("SELECT versions FROM package_groups WHERE region = ? AND key = ?", key).fetchone()
            if found is None:
                return None
            package = Package(group.region, group.name, found[0], self._now(), None, approval, request)
            db.execute(*_added(package))
        return package

    def add_package(self, region: str, name: str, request: Document, tags: Mapping[str, str]) -> Package | None:
        """Keep a package that is no version of a group; None if there is one of this name."""
        package = Package(region, name, 0, self._now(), None, None, request)
        return package if self._db.insert(*_added(package), package.arn, tags) else None

    def package(self, region: str, name: str, version: int = 0) -> Package | None:
        """Find a package."""
        where = (region, package_key(name, version))
        for row in self._db.select("SELECT * FROM packages WHERE region = ? AND key = ?", where):
            return _package(row)
        return None

    def packages(self, region: str, query: Query) -> list[Package]:
        """List one page of packages."""
        return [_package(row) for row in self._db.page("packages", region, query)]

    def update_package(self, package: Package, approval: str | None, request: Document) -> bool:
        """Change what a package says of itself; False if it is there no more."""
        values = (self._now(), approval, json.dumps(request), package.region, package.key)
        with self._db.held() as db, db:
            sql = "UPDATE packages SET modified = ?, approval = ?, request = ? WHERE region = ? AND key = ?"
            return db.execute(sql, values).rowcount > 0

    def remove_package(self, package: Package) -> bool:
        """Forget a package and its tags; False if it is there no more."""
        with self._db.held() as db, db:
            remove_tags(db, package.arn)
            return (
                db.execute("DELETE FROM packages WHERE region = ? AND key = ?", (package.region, package.key)).rowcount
                > 0
            )


def _added(package: Package) -> tuple[str, tuple[object, ...]]:
    told = (package.created, package.modified, package.approval, json.dumps(package.request))
    row = (package.region, package.key, package.name, package.version, *told)
    return "INSERT INTO packages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row


def _group(row: sqlite3.Row) -> PackageGroup:
    return PackageGroup(row["region"], row["name"], row["created"], json.loads(row["request"]))


def _package(row: sqlite3.Row) -> Package:
    members = {name: row[name] for name in ("region", "name", "version", "created", "modified", "approval")}
    return Package(**members, request=json.loads(row["request"]))
