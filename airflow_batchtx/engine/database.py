"""One SQLite file for all threads of an engine."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows to list: conditions in SQL with their values, a column to sort by, and where the page begins."""

    conditions: tuple[tuple[str, object], ...]
    sort_by: str
    descending: bool
    limit: int
    after: tuple[object, str] | None = None


class Database:
    """Every method is atomic and may be called from any thread."""

    def __init__(self, path: Path, schema: str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # WAL with synchronous=NORMAL loses no committed row when the process is killed.
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {schema}")

    def close(self) -> None:
        """Close the file; the database is of no use afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """Keep all other threads out of the block; what it changes in `with` of the connection is kept as one."""
        with self._lock:
            yield self._db

    def select(self, sql: str, values: Sequence[object]) -> list[sqlite3.Row]:
        """Read all rows that a statement gives."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def insert(self, sql: str, row: Sequence[object], resource: str, tags: Mapping[str, str]) -> bool:
        """Add a row and the tags of its ARN; False, and nothing added, if there is a row of its key."""
        try:
            with self.held() as db, db:
                db.execute(sql, row)
                put_tags(db, resource, tags)
        except sqlite3.IntegrityError:
            return False
        return True

    def page(self, table: str, region: str, query: Query) -> list[sqlite3.Row]:
        """Read one page of a table whose rows have a region and a key."""
        conditions = [("region = ?", region), *query.conditions]
        values: list[object] = [value for _, value in conditions]
        clauses = [clause for clause, _ in conditions]
        if query.after is not None:
            # Pages begin behind the last row seen, not at a count of rows: a job created meanwhile shifts nothing.
            clauses.append(f"({query.sort_by}, key) {'<' if query.descending else '>'} (?, ?)")
            values += query.after
        way = "DESC" if query.descending else "ASC"
        where, order = " AND ".join(clauses), f"{query.sort_by} {way}, key {way}"
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608
        return self.select(sql, [*values, query.limit])


def put_tags(db: sqlite3.Connection, resource: str, tags: Mapping[str, str]) -> None:
    """Add tags to an ARN; a key that is there takes the new value."""
    rows = [(resource.lower(), key, value) for key, value in tags.items()]
    sql = "INSERT INTO tags VALUES (?, ?, ?) ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value"
    db.executemany(sql, rows)


def remove_tags(db: sqlite3.Connection, resource: str) -> None:
    """Take all tags off an ARN."""
    db.execute("DELETE FROM tags WHERE arn = ?", (resource.lower(),))
