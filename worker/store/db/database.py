"""Connections: an engine for each of the three databases, and transactions that behave alike.

- PostgreSQL and MySQL: READ COMMITTED.
- SQLite: WAL, `synchronous=FULL`; a transaction that writes begins with `BEGIN IMMEDIATE`, behind a
  file lock that makes turns fair (SQLite's own busy handler lets a busy writer starve the others).
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Transaction, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worker import failpoints
from worker.domain.errors import CommitUnknown, Unavailable
from worker.store.db.sqlite_lock import Turns

#: How long a connection may take to be made, and an SQLite lock to be had.
PATIENCE = 5
#: How long a turn to write at an SQLite file is waited for: its disk may be slow to sync.
TURN = 15
#: How long a server keeps the locks of a transaction whose process has fallen silent, in seconds:
#: frozen, or behind a connection that died without a word.
SILENCE = 30


#: A plan is made once and kept: one that was made while a table was empty reads all of it, until
#: PostgreSQL has looked at its size anew.
#: And whoever scans an index in its order lets its dead entries go.
BY_SETS = ("seqscan", "bitmapscan", "hashjoin", "mergejoin")
_BY_INDEX = "; ".join(f"SET enable_{way} = off" for way in BY_SETS)


def connect(url: str, *, pool_size: int = 5, by_index: bool = False) -> Engine:
    """Return an engine for a database's URL; nothing is connected yet.

    `by_index` is for whoever only ever looks for few rows: on PostgreSQL none of its statements
    reads a whole table that has an index for it.

    Raises `ConfigurationError`-worthy `ValueError` when the URL's driver is not installed.
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    # Parameters are numbers and texts: no error may print them.
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "hide_parameters": True,
    }
    if backend == "sqlite":
        options["connect_args"] = {"timeout": PATIENCE}
    else:
        options |= {"pool_pre_ping": True, "pool_timeout": PATIENCE, "pool_recycle": 1800}
    if backend == "postgresql":
        options["connect_args"] = {"connect_timeout": PATIENCE, "tcp_user_timeout": 10_000}
    if backend in {"mysql", "mariadb"}:
        options["isolation_level"] = "READ COMMITTED"
        options["connect_args"] = {"connect_timeout": PATIENCE, "read_timeout": 30}
        parsed = parsed.update_query_dict({"charset": "utf8mb4"})
    if backend == "sqlite" and parsed.database in {None, "", ":memory:"}:
        msg = "an SQLite database has to be a file: other processes must see it"
        raise ValueError(msg)
    try:
        engine = create_engine(parsed, **options)
    except ModuleNotFoundError as error:
        msg = f"the driver {error.name} is not installed: pip install 'xinshi[{backend}]'"
        raise ValueError(msg) from None
    if backend == "sqlite":
        _prepare_sqlite(engine)
    elif backend == "postgresql":
        # Compiling a statement (JIT) costs more than any of ours takes.
        first = f"SET idle_in_transaction_session_timeout = '{SILENCE}s'; SET jit = off"
        _on_connect(engine, f"{first}; {_BY_INDEX}" if by_index else first)
    else:
        # The numbers of a submission are read as one value: MySQL would cut it at 1 KiB.
        longest = 16 * 1024 * 1024
        _on_connect(
            engine, f"SET SESSION wait_timeout = {SILENCE}, group_concat_max_len = {longest}"
        )
    return engine


def _on_connect(engine: Engine, statement: str) -> None:
    @event.listens_for(engine, "connect")
    def _say(raw: Any, _record: Any) -> None:
        with raw.cursor() as cursor:
            cursor.execute(statement)
        raw.commit()


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Run the block in one transaction that writes; commit at its end, roll back on an error.

    Raises `Unavailable` when the database cannot be reached, and `CommitUnknown` when it was cut
    off while it committed: whoever acts on what was written reads it back first.
    """
    with _turn(engine), _translated(), engine.connect() as plain:
        connection = plain.execution_options(sqlite_begin="IMMEDIATE")
        with connection.begin() as transaction:
            yield connection
            failpoints.reach("commit.before")
            _commit(transaction)
            failpoints.reach("commit.after")


def _commit(transaction: Transaction) -> None:
    try:
        transaction.commit()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        msg = "the database was cut off while it committed"
        raise CommitUnknown(msg) from error


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run the block in one transaction that only reads. Raises `Unavailable` as `writing` does."""
    with _translated(), engine.connect() as connection:
        yield connection


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (IntegrityError, DataError):
        # What was to be written is wrong, not the database.
        raise
    except PoolTimeout as error:
        msg = "all connections to the database are in use"
        raise Unavailable(msg) from error
    except DBAPIError as error:
        if any(words in str(error.orig) for words in _NO_TABLE):
            msg = "the database has no tables of this version; run `xinshi migrate`"
            raise Unavailable(msg) from error
        msg = f"the database does not answer as it should: {reason(error)}"
        raise Unavailable(msg) from error


#: How the three databases say that a table or column is missing.
_NO_TABLE = ("no such table", "no such column", "does not exist", "doesn't exist", "Unknown column")


def reason(error: DBAPIError) -> str:
    """Say why a statement failed, in one line, without its parameters."""
    return " ".join(str(error.orig).split())[:300]


@contextlib.contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    if engine.dialect.name != "sqlite":
        yield
        return
    with engine.get_execution_options()["turns"].turn(TURN):
        yield


def _prepare_sqlite(engine: Engine) -> None:
    file = Path(engine.url.database or "")
    file.parent.mkdir(parents=True, exist_ok=True)
    # It holds numbers and texts: nobody else reads it.
    file.touch(mode=0o600)
    engine.update_execution_options(turns=Turns(Path(f"{file}-turn")))

    @event.listens_for(engine, "connect")
    def _pragmas(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={PATIENCE * 1000}",
            "foreign_keys=ON",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        how = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {how}")
