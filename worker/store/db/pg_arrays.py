"""Rows as PostgreSQL takes many at once: column by column, each of them one text.

A driver writes an array element by element, and looks in each for what has to be quoted. A text
that the server cuts at a mark costs a tenth of that.
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
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
)
from sqlalchemy.types import TypeEngine

#: What cuts, what stands for NULL, and what for a text with nothing in it.
MARKS = "\x1f\x1e\x1d"
#: Others, for values that hold one of these: nobody's characters (Unicode, "Private Use Area").
_OTHERS = range(0xE000, 0xF900)
_NAMES = ("mark_cut", "mark_null", "mark_empty")

Bind = Callable[[str], ColumnElement[str]]


def given(names: Mapping[str, Column[Any]]) -> Any:
    """Return a table of rows that `lists` hands over when the statement is executed.

    Each name is a column of the type of the given one. A value that is a list, as JSON may be,
    stays one value.
    """
    return _table(names, lambda name: bindparam(name, type_=String()))


def unnested(rows: Sequence[Mapping[str, Any]], **names: Column[Any]) -> Any:
    """Return rows as a table, as `given` does, with their values."""
    values = lists(rows, names)
    return _table(names, lambda name: literal(values[name], String()))


def handed(name: str, like: Column[Any]) -> ColumnElement[Any]:
    """Return one column of what `lists` hands over, as an array of the type of the given one."""
    return _array(f"all_{name}", like.type, lambda each: bindparam(each, type_=String()))


def lists(rows: Sequence[Mapping[str, Any]], names: Iterable[str] | None = None) -> dict[str, str]:
    """Return what the statement of a `given` table is executed with."""
    columns = {name: _said([row[name] for row in rows]) for name in names or rows[0]}
    marks = _marks(columns.values())
    texts = {f"all_{name}": _joined(values, marks) for name, values in columns.items()}
    return texts | dict(zip(_NAMES, marks, strict=True))


def among(of: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Say that a column is one of some values."""
    said = _said(values)
    marks = _marks([said])
    texts = dict(zip(_NAMES, marks, strict=True)) | {"all": _joined(said, marks)}
    return of == any_(_array("all", of.type, lambda name: literal(texts[name], String())))


def _table(names: Mapping[str, Column[Any]], bind: Bind) -> Any:
    arrays = [_array(f"all_{name}", like.type, bind) for name, like in names.items()]
    named = [column(name, like.type) for name, like in names.items()]
    return func.unnest(*arrays).table_valued(*named, name="given").render_derived()


def _array(name: str, of: TypeEngine[Any], bind: Bind) -> ColumnElement[Any]:
    cut, null, empty = map(bind, _NAMES)
    parts = func.string_to_array(bind(name), cut, null)
    if isinstance(of, String):
        # Not cast to a length: what is too long is an error, and not cut off.
        return func.array_replace(parts, empty, "", type_=ARRAY(String))
    return cast(parts, ARRAY(of, dimensions=1))


def _said(values: Collection[Any]) -> list[str | None]:
    return [one if one is None or one.__class__ is str else _text(one) for one in values]


def _text(value: Any) -> str:
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


def _joined(values: Sequence[str | None], marks: str) -> str:
    cut, null, empty = tuple(marks)
    return cut.join([null if one is None else one or empty for one in values])


def _marks(columns: Iterable[Sequence[str | None]]) -> str:
    """Return three characters that are in no value."""
    whole = "".join([one for values in columns for one in values if one])
    if not any(mark in whole for mark in MARKS):
        return MARKS
    free = (chr(one) for one in _OTHERS if chr(one) not in whole)
    return "".join(next(free) for _ in MARKS)
