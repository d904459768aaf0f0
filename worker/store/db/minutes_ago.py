"""Counts whole minutes on the database's clock, alike on SQLite, PostgreSQL and MySQL."""

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class minutes_ago(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """Whole minutes from a moment to the database's now."""

    inherit_cache = True
    name = "minutes_ago"


@compiles(minutes_ago)
def _postgresql(element: minutes_ago, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"CAST(floor(extract(epoch FROM statement_timestamp() - {at}) / 60) AS integer)"


@compiles(minutes_ago, "sqlite")
def _sqlite(element: minutes_ago, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"CAST((julianday('now') - julianday({at})) * 1440 AS integer)"


@compiles(minutes_ago, "mysql")
@compiles(minutes_ago, "mariadb")
def _mysql(element: minutes_ago, compiler: SQLCompiler, **kw: Any) -> str:
    at = compiler.process(element.clauses, **kw)
    return f"TIMESTAMPDIFF(MINUTE, {at}, UTC_TIMESTAMP(6))"
