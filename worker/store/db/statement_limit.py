"""Bound how long a statement may take, on each of the three databases."""

import contextlib
import time
from collections.abc import Iterator

from sqlalchemy import Connection

#: After so many steps of SQLite's machine it is asked whether the time is over.
_SQLITE_STEPS = 10_000


@contextlib.contextmanager
def limited(connection: Connection, seconds: float) -> Iterator[None]:
    """Let each statement of the block take so many seconds; a longer one raises `DBAPIError`.

    On SQLite it is the block that may take so long.
    """
    match connection.dialect.name:
        case "postgresql":
            # Of this transaction alone: a pooler may give the connection to others after it.
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")
            yield
        case "sqlite":
            driver_connection = connection.connection.driver_connection
            until = time.monotonic() + seconds
            driver_connection.set_progress_handler(  # type: ignore[union-attr]
                lambda: time.monotonic() > until, _SQLITE_STEPS
            )
            try:
                yield
            finally:
                driver_connection.set_progress_handler(None, 0)  # type: ignore[union-attr]
        case _:
            is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
            variable = "max_statement_time" if is_mariadb else "max_execution_time"
            limit = seconds if is_mariadb else round(seconds * 1000)
            connection.exec_driver_sql(f"SET SESSION {variable} = {limit}")
            try:
                yield
            finally:
                connection.exec_driver_sql(f"SET SESSION {variable} = DEFAULT")
