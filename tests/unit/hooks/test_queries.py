from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from airflow_batchtx.hooks.queries import CursorQuery, cursor_of


class Connection:
    """What a driver of PostgreSQL connects with."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def cursor(self, **options: Any) -> None:
        self.asked = options


class SecondConnection(Connection):
    __module__ = "psycopg2.extensions"


class ThirdConnection(Connection):
    __module__ = "psycopg"


@pytest.mark.parametrize("kind", [SecondConnection, ThirdConnection])
def test_postgresql_is_asked_to_keep_the_rows_until_they_are_fetched(kind: type[Connection]) -> None:
    connection = kind()
    cursor_of(connection)

    assert connection.asked == {"name": "batchtx", "withhold": True}


def test_rows_come_so_many_at_once_in_order() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        query = CursorQuery(cursor_of(connection), "VALUES (1, 'a'), (2, 'b'), (3, NULL)")

        assert list(query.rows(2)) == [[(1, "a"), (2, "b")], [(3, None)]]
        assert query.names() == ("column1", "column2")


def test_rows_that_are_mappings_are_their_values() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = lambda cursor, row: dict(zip("xy", row, strict=True))
        query = CursorQuery(connection.cursor(), "VALUES (1, 'a')")

        assert list(query.rows(5)) == [[(1, "a")]]


def test_what_gives_no_rows_has_no_columns() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        query = CursorQuery(connection.cursor(), "CREATE TABLE t (x)")

        assert list(query.rows(5)) == []
        assert query.names() == ()
