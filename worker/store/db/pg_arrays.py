"""Pass many rows to PostgreSQL as one text parameter for each column.

A driver writes an array element by element, and looks in each for what has to be quoted. A text
that the server cuts at a separator costs a tenth of that.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    String,
    Table,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

#: The characters that separate elements, stand for NULL, and stand for an empty text.
DEFAULT_MARKERS = "\x1f\x1e\x1d"
#: Where other markers come from when a value holds a default one: Unicode's "Private Use Area",
#: whose characters are assigned to nobody.
_SPARE_CODE_POINTS = range(0xE000, 0xF900)
_MARKER_PARAMETERS = ("mark_cut", "mark_null", "mark_empty")

Bind = Callable[[str], ColumnElement[str]]


def insert_if_absent(table: Table) -> postgresql.Insert:
    """Return an INSERT that leaves a row unchanged when its unique key exists already.

    Its RETURNING has the rows that it inserted, and no others.
    """
    return postgresql.insert(table).on_conflict_do_nothing()


def parameter_table(columns: Mapping[str, Column[Any]]) -> Any:
    """Return a table of rows whose values come when the statement is executed.

    It is executed with what `packed_columns` returns. `columns` maps the table's column names to
    columns of the same type. A value that is a list, as JSON may be, stays one value.
    """
    return _table(columns, lambda name: bindparam(name, type_=String()))


def literal_table(rows: Sequence[Mapping[str, Any]], **columns: Column[Any]) -> Any:
    """Return a table as `parameter_table` does, with the values of `rows` already bound."""
    parameters = packed_columns(rows, columns)
    return _table(columns, lambda name: literal(parameters[name], String()))


def parameter_array(name: str, like: Column[Any]) -> ColumnElement[Any]:
    """Return one column of what `packed_columns` passes, as an array of the type of `like`."""
    return _array(f"all_{name}", like.type, lambda bind_name: bindparam(bind_name, type_=String()))


def packed_columns(
    rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None
) -> dict[str, str]:
    """Return the parameters with which a statement over a `parameter_table` is executed."""
    elements_by_column = {
        name: _as_elements([row[name] for row in rows]) for name in columns or rows[0]
    }
    markers = _choose_markers(elements_by_column.values())
    texts = {
        f"all_{name}": _join(elements, markers) for name, elements in elements_by_column.items()
    }
    return texts | dict(zip(_MARKER_PARAMETERS, markers, strict=True))


def equals_any(of_column: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Return the condition that a column equals one of `values`, passed as one parameter."""
    elements = _as_elements(values)
    markers = _choose_markers([elements])
    parameters = dict(zip(_MARKER_PARAMETERS, markers, strict=True))
    parameters["all"] = _join(elements, markers)
    array = _array("all", of_column.type, lambda name: literal(parameters[name], String()))
    return of_column == any_(array)


def _table(columns: Mapping[str, Column[Any]], bind: Bind) -> Any:
    arrays = [_array(f"all_{name}", like.type, bind) for name, like in columns.items()]
    table_columns = [column(name, like.type) for name, like in columns.items()]
    return func.unnest(*arrays).table_valued(*table_columns, name="given").render_derived()


def _array(name: str, element_type: TypeEngine[Any], bind: Bind) -> ColumnElement[Any]:
    """Return the SQL that cuts the text parameter `name` into an array of `element_type`."""
    separator, null, empty = map(bind, _MARKER_PARAMETERS)
    elements = func.string_to_array(bind(name), separator, null)
    if isinstance(element_type, String):
        # Not cast to a length: what is too long is an error, and not cut off.
        return func.array_replace(elements, empty, "", type_=ARRAY(String))
    return cast(elements, ARRAY(element_type, dimensions=1))


def _as_elements(values: Collection[Any]) -> list[str | None]:
    return [
        value if value is None or value.__class__ is str else _as_element(value) for value in values
    ]


def _as_element(value: Any) -> str:
    """Write a value as PostgreSQL reads it from a text."""
    match value:
        case bool():
            return "t" if value else "f"
        case str():
            return str(value)
        case int() | float():
            return repr(value)
        case datetime() if value.tzinfo is None:
            msg = "a time without a zone cannot be stored"
            raise ValueError(msg)
        case datetime():
            return value.isoformat()
        case _:
            return json.dumps(value)


def _join(elements: Sequence[str | None], markers: str) -> str:
    separator, null, empty = tuple(markers)
    return separator.join([null if element is None else element or empty for element in elements])


def _choose_markers(columns: Iterable[Sequence[str | None]]) -> str:
    """Return three characters that are in no element of any column."""
    text = "".join([element for elements in columns for element in elements if element])
    if not any(marker in text for marker in DEFAULT_MARKERS):
        return DEFAULT_MARKERS
    characters = map(chr, _SPARE_CODE_POINTS)
    unused_characters = (character for character in characters if character not in text)
    return "".join(next(unused_characters) for _ in DEFAULT_MARKERS)
