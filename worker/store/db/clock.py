"""Store and compare times on the database's clock, alike on SQLite, PostgreSQL and MySQL.

Leases, due times and validity are compared where they are stored, so that a worker whose own clock
is wrong cannot take work that is another's or not due.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, literal, select
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class Instant(TypeDecorator[datetime]):
    """A moment, aware in Python and UTC in the table, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type; MySQL has to be told to keep fractions of a second."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware time as UTC for the driver; raise `ValueError` for one without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = "a time without a zone cannot be stored"
            raise ValueError(msg)
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return a stored time as an aware one, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class later(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """The database's time now, plus `seconds` (negative: before now)."""

    type = Instant()
    inherit_cache = True
    name = "later"

    def __init__(self, seconds: float | ColumnElement[float] = 0.0) -> None:
        super().__init__(literal(float(seconds)) if isinstance(seconds, int | float) else seconds)


def now() -> later:
    """Return the SQL of the database's time at the start of the statement."""
    return later(0.0)


def read(connection: Connection) -> datetime:
    """Return the database's time, for what is compared with times that it stored."""
    moment: datetime = connection.execute(select(now())).scalar_one()
    return moment


@compiles(later)
def _postgresql(element: later, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"(statement_timestamp() + make_interval(secs => CAST({seconds} AS double precision)))"


@compiles(later, "sqlite")
def _sqlite(element: later, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    # Six digits after the point, as SQLAlchemy writes them: the texts then sort as the times do.
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', CAST({seconds} AS TEXT) || ' seconds')"


@compiles(later, "mysql")
@compiles(later, "mariadb")
def _mysql(element: later, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"(UTC_TIMESTAMP(6) + INTERVAL ROUND({seconds} * 1000000) MICROSECOND)"
