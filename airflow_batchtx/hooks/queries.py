"""Queries over the connections of Airflow, to any database that has a hook there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.sdk import BaseHook

from airflow_batchtx.errors import InvalidInput, Problem, refuse

Values = Sequence[Sequence[Any]]
# Drivers that hold all rows of a result in memory, unless their cursor has a name: then the database keeps them.
_NAMED = ("psycopg2", "psycopg")


class CursorQuery:
    """A query on a cursor of Python's database API; `rows` runs it, once."""

    def __init__(self, cursor: Any, sql: str) -> None:
        self._cursor, self._sql = cursor, sql

    def rows(self, size: int) -> Iterator[Values]:
        """Yield so many rows at once, in the database's order."""
        self._cursor.arraysize = size
        self._cursor.execute(self._sql)
        while values := self._cursor.fetchmany(size):
            yield [tuple(row.values()) if isinstance(row, Mapping) else row for row in values]

    def names(self) -> tuple[str, ...]:
        """Name the columns, once the first rows were asked for; none of what gives no rows."""
        return tuple(column[0] for column in self._cursor.description or ())


@contextmanager
def query_over(conn_id: str, sql: str) -> Iterator[CursorQuery]:
    """Give a query over a connection, which is closed when the context is left."""
    hook = BaseHook.get_hook(conn_id)
    if not isinstance(hook, DbApiHook):
        rule, remedy = f"leads to a {type(hook).__name__}, which runs no queries", "Give a connection to a database."
        refuse(InvalidInput, "prepare", (Problem("sql_conn_id", conn_id, rule, remedy),))
    with closing(hook.get_conn()) as connection, closing(cursor_of(connection)) as cursor:
        yield CursorQuery(cursor, sql)


def cursor_of(connection: Any) -> Any:
    """Give a cursor whose rows come as they are fetched, as far as the driver can."""
    driver = type(connection).__module__.partition(".")[0]
    # Without a hold the cursor of a connection that commits by itself would be gone at once.
    return connection.cursor(name="batchtx", withhold=True) if driver in _NAMED else connection.cursor()
