"""Build the statements that the three databases write differently."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from worker.store.db import capabilities, pg_arrays, pg_session

#: How many values one statement names on a database that cannot take a list as one parameter.
MAX_NAMED_VALUES = 1000


def inserted_id(insertion: CursorResult[Any]) -> int:
    """Return the id of the one row that was inserted."""
    key = insertion.inserted_primary_key
    if key is None:
        msg = "nothing was inserted"
        raise LookupError(msg)
    return int(key[0])


def insert_if_absent(connection: Connection, table: Table) -> Any:
    """Return an INSERT that leaves a row unchanged when its unique key exists already."""
    match connection.dialect.name:
        case "postgresql":
            return pg_arrays.insert_if_absent(table)
        case "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing()
        case _:
            key_column = next(iter(table.primary_key.columns))
            return mysql.insert(table).on_duplicate_key_update({key_column.name: key_column})


def insert_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row, unless its unique key exists already; tell whether it was inserted.

    Another transaction that inserts the same key is waited for. Whoever inserts several keys in one
    transaction inserts them in their order, so that two of them do not wait for each other.
    """
    if capabilities.returns_inserted(connection):
        insertion = insert_if_absent(connection, table).values(values)
        key_columns = table.primary_key.columns
        return connection.execute(insertion.returning(*key_columns)).first() is not None
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(values))
    except IntegrityError:
        return False
    return True


def insert_or_update(connection: Connection, table: Table, *columns: str) -> Any:
    """Return an INSERT that sets `columns` of the existing row when its primary key exists."""
    if connection.dialect.name in {"mysql", "mariadb"}:
        insertion = mysql.insert(table)
        return insertion.on_duplicate_key_update(
            {name: insertion.inserted[name] for name in columns}
        )
    # PostgreSQL and SQLite have the same syntax.
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    upsert = dialect.insert(table)
    return upsert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: upsert.excluded[name] for name in columns},
    )


def is_any_of(
    connection: Connection, column: Column[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """Return the condition that a column is one of `values`.

    The values are one parameter where the database can take a list as one: the statement is then
    the same for any number of values, and its driver and server prepare it once.
    """
    if connection.dialect.name == "postgresql":
        return pg_arrays.equals_any(column, values)
    return column.in_(list(values))


def any_of_in_parts(
    connection: Connection, column: Column[Any], values: Sequence[Any]
) -> Iterator[ColumnElement[bool]]:
    """Yield conditions as `is_any_of` returns, for one statement each, that cover all `values`.

    There may be more values than one statement can name.
    """
    match connection.dialect.name:
        case "postgresql":
            yield is_any_of(connection, column, values)
        case "sqlite":
            elements = func.json_each(json.dumps(list(values))).table_valued("value")
            yield column.in_(select(elements.c.value))
        case _:
            for start in range(0, len(values), MAX_NAMED_VALUES):
                yield is_any_of(connection, column, values[start : start + MAX_NAMED_VALUES])


@contextmanager
def planned_by_index(connection: Connection) -> Iterator[None]:
    """Make PostgreSQL look up each row of the block's statements by an index.

    It overestimates what a look-up costs, and would read a whole table for some thousand of them.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    for switch in ("off", "on"):
        pg_session.apply(
            connection, {f"enable_{method}": switch for method in pg_session.BULK_PLAN_METHODS}
        )
        if switch == "off":
            yield
