"""Read values out of JSON columns by a key of the row: each database has its own way."""

from typing import Any

from sqlalchemy import ColumnElement, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class json_number(FunctionElement[int]):  # noqa: N801 - it is called as SQL's functions are
    """The number that a JSON object has under a key; NULL where it has none, or is NULL itself.

    Both arguments are expressions; the key is a text without quotes.
    """

    type = Integer()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], key: ColumnElement[str]) -> None:
        super().__init__(column, key)


@compiles(json_number, "sqlite")
def _sqlite(element: json_number, compiler: Any, **options: Any) -> str:
    column, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_extract({column}, '$.\"' || {key} || '\"')"


@compiles(json_number, "postgresql")
def _postgresql(element: json_number, compiler: Any, **options: Any) -> str:
    column, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST({column} ->> ({key}) AS INTEGER)"


@compiles(json_number, "mysql")
@compiles(json_number, "mariadb")
def _mysql(element: json_number, compiler: Any, **options: Any) -> str:
    column, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(JSON_EXTRACT({column}, CONCAT('$.\"', {key}, '\"')) AS SIGNED)"
