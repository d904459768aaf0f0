"""Who does not want any more: looked up for many numbers at once."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Connection, String, any_, exists, func, literal, select

from worker.tables import opt_out

#: Numbers named in one statement where a list of them is no single parameter.
_NAMED = 1000


def among(connection: Connection, msisdns: Sequence[str]) -> set[str]:
    """Return which numbers have opted out; where nobody has, that is one short look."""
    if not msisdns or not connection.execute(select(exists().select_from(opt_out))).scalar():
        return set()
    found: set[str] = set()
    for some in one_of(connection, opt_out.c.msisdn, msisdns):
        found.update(connection.execute(select(opt_out.c.msisdn).where(some)).scalars())
    return found


def one_of(
    connection: Connection, column: Any, msisdns: Sequence[str]
) -> Iterator[ColumnElement[bool]]:
    """Say that a column is one of many numbers, as one parameter where there is a way."""
    match connection.dialect.name:
        case "postgresql":
            yield column == any_(literal(list(msisdns), ARRAY(String)))
        case "sqlite":
            each = func.json_each(json.dumps(list(msisdns))).table_valued("value")
            yield column.in_(select(each.c.value))
        case _:
            for first in range(0, len(msisdns), _NAMED):
                yield column.in_(msisdns[first : first + _NAMED])
