"""A DB-API connection that belongs to the caller, lent for a few statements in its transaction.

Whatever SQLAlchemy would do to a connection of its own (commit, roll back, close) is not done to
this one: the transaction is the caller's from its begin to its end.
"""

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import StaticPool

from worker.domain.errors import Problem, Refused

#: The drivers whose connections can be lent, and SQLAlchemy's names for them.
_DIALECTS = {
    "sqlite3": "sqlite+pysqlite",
    "psycopg": "postgresql+psycopg",
    "psycopg2": "postgresql+psycopg2",
    "pymysql": "mysql+pymysql",
    "MySQLdb": "mysql+mysqldb",
}
#: Where the drivers that can be set to other rows keep their plain cursors.
_CURSORS = {
    "psycopg2": "psycopg2.extensions",
    "pymysql": "pymysql.cursors",
    "MySQLdb": "MySQLdb.cursors",
}
_known: dict[str, Dialect] = {}


class _Lent:
    """The caller's connection, less what ends its transaction, with rows that are tuples."""

    def __init__(self, driver: str, owned: Any) -> None:
        self._driver = driver
        self._owned = owned

    def __getattr__(self, name: str) -> Any:
        return getattr(self._owned, name)

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """Make a cursor whose rows are tuples, whatever the caller has set for their own."""
        match self._driver:
            case "psycopg":
                from psycopg.rows import tuple_row

                options["row_factory"] = tuple_row
            case "psycopg2" | "pymysql" | "MySQLdb":
                cursors = import_module(_CURSORS[self._driver])
                plain = getattr(cursors, "Cursor", None) or cursors.cursor
                if self._driver == "psycopg2":
                    options["cursor_factory"] = plain
                else:
                    arguments = arguments or (plain,)
        made = self._owned.cursor(*arguments, **options)
        if self._driver == "sqlite3":
            made.row_factory = None
        return made

    def commit(self) -> None:
        """Leave the transaction to its owner."""

    def rollback(self) -> None:
        """Leave the transaction to its owner."""

    def close(self) -> None:
        """Leave the connection to its owner."""


@contextlib.contextmanager
def borrowed(owned: Any) -> Iterator[Connection]:
    """Lend a DB-API connection (sqlite3, psycopg, psycopg2, pymysql, MySQLdb) to SQLAlchemy.

    Raises `Refused` for another driver's, and for one that commits each statement by itself: half
    of a request could then be stored.
    """
    driver = type(owned).__module__.partition(".")[0]
    driver = next((base for base in _drivers(owned) if base in _DIALECTS), driver)
    if driver not in _DIALECTS:
        what = f"{driver} is not known; one of {', '.join(_DIALECTS)} is needed"
        raise Refused([Problem("connection", what)])
    if not _in_transaction(driver, owned):
        what = "commits each statement by itself; begin a transaction first"
        raise Refused([Problem("connection", what)])
    with _engine(driver, owned).connect() as connection:
        yield connection


def _drivers(owned: Any) -> list[str]:
    return [base.__module__.partition(".")[0] for base in type(owned).__mro__]


def _engine(driver: str, owned: Any) -> Engine:
    lent = _Lent(driver, owned)
    if driver not in _known:
        # The first connection teaches the dialect which server it talks to.
        first = create_engine(
            make_url(f"{_DIALECTS[driver]}://"),
            creator=lambda: lent,
            poolclass=StaticPool,
            pool_reset_on_return=None,
            # To look for hstore psycopg wants a connection of its own class.
            **({"use_native_hstore": False} if driver.startswith("psycopg") else {}),
        )
        first.connect().close()
        _known[driver] = first.dialect
        return first
    pool = StaticPool(lambda: lent, reset_on_return=None, dialect=_known[driver])
    return Engine(pool, _known[driver], make_url(f"{_DIALECTS[driver]}://"))


def _in_transaction(driver: str, owned: Any) -> bool:
    match driver:
        case "sqlite3":
            return bool(owned.in_transaction or owned.isolation_level is not None)
        case "psycopg":
            return bool(not owned.autocommit or owned.info.transaction_status)
        case "psycopg2":
            return bool(not owned.autocommit or owned.status == 2)
        case _:
            return not owned.get_autocommit() or bool(
                getattr(owned, "server_status", 0) & _MYSQL_IN_TRANSACTION
            )


#: SERVER_STATUS_IN_TRANS of the MySQL protocol.
_MYSQL_IN_TRANSACTION = 1
