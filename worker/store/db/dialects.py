"""What the three databases say differently about writing rows."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Table,
    func,
    select,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from worker.store.db import pg_arrays
from worker.store.db.database import BY_SETS

#: Values named in one statement where a list of them is no single parameter.
NAMED = 1000


def new_id(made: CursorResult[Any]) -> int:
    """Return the id of the one row that was inserted."""
    key = made.inserted_primary_key
    if key is None:
        msg = "nothing was inserted"
        raise LookupError(msg)
    return int(key[0])


def insert_unless_there(connection: Connection, table: Table) -> Any:
    """Return an INSERT that leaves a row alone whose unique key is there already."""
    match connection.dialect.name:
        case "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing()
        case "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing()
        case _:
            some = next(iter(table.primary_key.columns))
            return mysql.insert(table).on_duplicate_key_update({some.name: some})


def insert_or_update(connection: Connection, table: Table, *columns: str) -> Any:
    """Return an INSERT that gives `columns` their new values where the primary key is there."""
    if connection.dialect.name in {"mysql", "mariadb"}:
        new = mysql.insert(table)
        return new.on_duplicate_key_update({name: new.inserted[name] for name in columns})
    # Both say it in the same words.
    made: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    there = made.insert(table)
    return there.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: there.excluded[name] for name in columns},
    )


def one_of(connection: Connection, of: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Say that a column is one of some values.

    As one parameter where a list is one: the statement is then the same for any number of them,
    which its driver and its server prepare once.
    """
    if connection.dialect.name == "postgresql":
        return pg_arrays.among(of, values)
    return of.in_(list(values))


def in_parts(
    connection: Connection, of: Column[Any], values: Sequence[Any]
) -> Iterator[ColumnElement[bool]]:
    """Say what `one_of` does of any number of values, in as many statements as that takes."""
    match connection.dialect.name:
        case "postgresql":
            yield one_of(connection, of, values)
        case "sqlite":
            each = func.json_each(json.dumps(list(values))).table_valued("value")
            yield of.in_(select(each.c.value))
        case _:
            for first in range(0, len(values), NAMED):
                yield one_of(connection, of, values[first : first + NAMED])


@contextmanager
def by_index(connection: Connection) -> Iterator[None]:
    """Let PostgreSQL look up each row of the block's statements by an index.

    It takes a look-up for dearer than it is, and would read a whole table for some thousand.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    for turned in ("off", "on"):
        words = [f"set_config('enable_{way}', '{turned}', true)" for way in BY_SETS]
        connection.exec_driver_sql(f"SELECT {', '.join(words)}")
        if turned == "off":
            yield
