"""Lend a caller's DB-API connection to SQLAlchemy, for a few statements in its transaction.

SQLAlchemy commits, rolls back and closes its own connections. It does none of that to a lent one:
its transaction belongs to the caller from begin to end.
"""

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import StaticPool

from worker.domain.errors import Problem, Refused

#: SQLAlchemy's names for the drivers whose connections can be lent.
_DIALECT_NAMES = {
    "sqlite3": "sqlite+pysqlite",
    "psycopg": "postgresql+psycopg",
    "psycopg2": "postgresql+psycopg2",
    "pymysql": "mysql+pymysql",
    "MySQLdb": "mysql+mysqldb",
}
#: The modules with the plain cursors of the drivers that can be set to another row type.
_CURSOR_MODULES = {
    "psycopg2": "psycopg2.extensions",
    "pymysql": "pymysql.cursors",
    "MySQLdb": "MySQLdb.cursors",
}
#: SERVER_STATUS_IN_TRANS of the MySQL protocol.
_MYSQL_IN_TRANSACTION = 1
#: Dialects that know their server, by driver.
_dialect_by_driver: dict[str, Dialect] = {}


class _LentConnection:
    """The caller's connection, which cannot end its transaction here and whose rows are tuples."""

    def __init__(self, driver: str, owned: Any) -> None:
        self._driver = driver
        self._callers_connection = owned

    def __getattr__(self, name: str) -> Any:
        return getattr(self._callers_connection, name)

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """Return a cursor whose rows are tuples, whatever row type the caller has set."""
        match self._driver:
            case "psycopg":
                from psycopg.rows import tuple_row

                options["row_factory"] = tuple_row
            case "psycopg2" | "pymysql" | "MySQLdb":
                cursors = import_module(_CURSOR_MODULES[self._driver])
                plain_cursor = getattr(cursors, "Cursor", None) or cursors.cursor
                if self._driver == "psycopg2":
                    options["cursor_factory"] = plain_cursor
                else:
                    arguments = arguments or (plain_cursor,)
        cursor = self._callers_connection.cursor(*arguments, **options)
        if self._driver == "sqlite3":
            cursor.row_factory = None
        return cursor

    def commit(self) -> None:
        """Do nothing: the transaction is the caller's."""

    def rollback(self) -> None:
        """Do nothing: the transaction is the caller's."""

    def close(self) -> None:
        """Do nothing: the connection is the caller's."""


@contextlib.contextmanager
def borrow(callers_connection: Any) -> Iterator[Connection]:
    """Lend a DB-API connection (sqlite3, psycopg, psycopg2, pymysql, MySQLdb) to SQLAlchemy.

    Raises `Refused` for a connection of another driver, and for one that commits each statement by
    itself: half of a request could then be stored.
    """
    driver = type(callers_connection).__module__.partition(".")[0]
    driver = next(
        (base for base in _driver_candidates(callers_connection) if base in _DIALECT_NAMES), driver
    )
    if driver not in _DIALECT_NAMES:
        problem = f"{driver} is not known; one of {', '.join(_DIALECT_NAMES)} is needed"
        raise Refused([Problem("connection", problem)])
    if not _in_transaction(driver, callers_connection):
        problem = "commits each statement by itself; begin a transaction first"
        raise Refused([Problem("connection", problem)])
    with _lending_engine(driver, callers_connection).connect() as connection:
        yield connection


def _driver_candidates(callers_connection: Any) -> list[str]:
    """Return the package of each class that the connection's class derives from."""
    return [base.__module__.partition(".")[0] for base in type(callers_connection).__mro__]


def _lending_engine(driver: str, callers_connection: Any) -> Engine:
    """Return an engine that has nothing but the lent connection."""
    lent_connection = _LentConnection(driver, callers_connection)
    if driver not in _dialect_by_driver:
        # The first connection teaches the dialect which server it talks to.
        engine = create_engine(
            make_url(f"{_DIALECT_NAMES[driver]}://"),
            creator=lambda: lent_connection,
            poolclass=StaticPool,
            pool_reset_on_return=None,
            # To look for hstore psycopg wants a connection of its own class.
            **({"use_native_hstore": False} if driver.startswith("psycopg") else {}),
        )
        engine.connect().close()
        _dialect_by_driver[driver] = engine.dialect
        return engine
    pool = StaticPool(
        lambda: lent_connection, reset_on_return=None, dialect=_dialect_by_driver[driver]
    )
    return Engine(pool, _dialect_by_driver[driver], make_url(f"{_DIALECT_NAMES[driver]}://"))


def _in_transaction(driver: str, callers_connection: Any) -> bool:
    """Return whether statements of the connection are part of a transaction."""
    match driver:
        case "sqlite3":
            return bool(
                callers_connection.in_transaction or callers_connection.isolation_level is not None
            )
        case "psycopg":
            return bool(
                not callers_connection.autocommit or callers_connection.info.transaction_status
            )
        case "psycopg2":
            return bool(not callers_connection.autocommit or callers_connection.status == 2)
        case _:
            return not callers_connection.get_autocommit() or bool(
                getattr(callers_connection, "server_status", 0) & _MYSQL_IN_TRANSACTION
            )
