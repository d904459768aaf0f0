"""What the three databases say differently about writing rows."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Table,
    and_,
    any_,
    bindparam,
    column,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

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
        return of == any_(literal(list(values), ARRAY(of.type)))
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


def pair_of(
    connection: Connection, one: Column[Any], other: Column[Any], pairs: Collection[tuple[Any, Any]]
) -> ColumnElement[bool]:
    """Say that two columns are one of some pairs, as `one_of` does for one."""
    if connection.dialect.name != "postgresql":
        return tuple_(one, other).in_(list(pairs))
    rows = [{"one": left, "other": right} for left, right in pairs]
    each = unnested(rows, one=one, other=other)
    named = tuple_(one, other).in_(select(each.c.one, each.c.other))
    return and_(one_of(connection, one, [left for left, _ in pairs]), named)


def unnested(rows: Sequence[Mapping[str, Any]], **columns: Column[Any]) -> Any:
    """Return rows as a table, for PostgreSQL: each name a column of the type of the given one.

    A value that is a list, as JSON may be, stays one value.
    """
    arrays = [
        literal([row[name] for row in rows], ARRAY(like.type, dimensions=1))
        for name, like in columns.items()
    ]
    named = [column(name, like.type) for name, like in columns.items()]
    return func.unnest(*arrays).table_valued(*named, name="given").render_derived()


def given(names: Mapping[str, Column[Any]]) -> Any:
    """Return rows as `unnested` does, but handed over by `lists` when the statement is executed."""
    arrays = [
        bindparam(f"all_{name}", type_=ARRAY(like.type, dimensions=1))
        for name, like in names.items()
    ]
    named = [column(name, like.type) for name, like in names.items()]
    return func.unnest(*arrays).table_valued(*named, name="given").render_derived()


def lists(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return what the statement of a `given` table is executed with."""
    return {f"all_{name}": [row[name] for row in rows] for name in rows[0]}
