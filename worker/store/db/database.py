"""Open engines for the three databases, and run transactions that behave alike on them.

- PostgreSQL and MySQL: READ COMMITTED.
- SQLite: WAL, `synchronous=FULL`; a transaction that writes begins with `BEGIN IMMEDIATE`, behind a
  file lock that makes turns fair (SQLite's own busy handler lets a busy writer starve the others).
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Transaction, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worker import failpoints, outages
from worker.domain.errors import CommitUnknown, Unavailable
from worker.store.db import failures, pg_session
from worker.store.db.sqlite_lock import FairFileLock, WaiterMark

#: How long it may take to make a connection, to get one from the pool, or to get SQLite's own lock.
CONNECT_SECONDS = 5
#: How long a writer waits for the lock file of an SQLite database, whose disk may be slow to sync.
WRITE_LOCK_SECONDS = 15
#: The numbers of a submission are read as one value, which MySQL would cut at 1 KiB.
_MAX_CONCAT_BYTES = 16 * 1024 * 1024


def connect(
    url: str,
    *,
    pool_size: int = 5,
    by_index: bool = False,
    gives_way: bool = False,
    pooler: bool = False,
) -> Engine:
    """Return an engine for a database's URL; nothing is connected yet.

    `by_index` is for a process that only ever looks for few rows: on PostgreSQL none of its
    statements reads a whole table that has an index for it. `gives_way` is for work for which
    nobody waits: of all its writers at an SQLite file one at a time stands in the queue of the
    others. `pooler` says that a transaction pooler stands before PostgreSQL.

    Raises `ValueError`, which is an error of the configuration, when the URL's driver is not
    installed or an SQLite URL names no file; and `Unavailable` when that file cannot be written.
    """
    database_url = make_url(url)
    backend = database_url.get_backend_name()
    if backend == "sqlite" and database_url.database in {None, "", ":memory:"}:
        msg = "an SQLite database has to be a file: other processes must see it"
        raise ValueError(msg)
    if backend in {"mysql", "mariadb"}:
        database_url = database_url.update_query_dict({"charset": "utf8mb4"})
    engine = _create_engine(database_url, _engine_options(database_url, pool_size, pooler=pooler))
    if backend == "sqlite":
        _prepare_sqlite(engine, gives_way=gives_way)
    elif backend == "postgresql":
        pg_session.prepare(engine, by_index=by_index, pooler=pooler)
    else:
        settings = (
            f"SET SESSION wait_timeout = {pg_session.SILENT_TRANSACTION_SECONDS},"
            f" group_concat_max_len = {_MAX_CONCAT_BYTES}"
        )
        _run_on_connect(engine, settings)
    return engine


def _engine_options(database_url: URL, pool_size: int, *, pooler: bool) -> dict[str, Any]:
    backend = database_url.get_backend_name()
    # Parameters are numbers and texts: no error may print them.
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "hide_parameters": True,
    }
    if backend == "sqlite":
        options["connect_args"] = {"timeout": CONNECT_SECONDS}
    else:
        options |= {"pool_pre_ping": True, "pool_timeout": CONNECT_SECONDS, "pool_recycle": 1800}
    if backend == "postgresql":
        options["connect_args"] = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": 10_000}
        if pooler and database_url.get_driver_name() == "psycopg":
            options["connect_args"]["prepare_threshold"] = None
    if backend in {"mysql", "mariadb"}:
        options["isolation_level"] = "READ COMMITTED"
        options["connect_args"] = {"connect_timeout": CONNECT_SECONDS, "read_timeout": 30}
    return options


def _create_engine(database_url: URL, options: dict[str, Any]) -> Engine:
    try:
        return create_engine(database_url, **options)
    except ModuleNotFoundError as error:
        backend = database_url.get_backend_name()
        msg = f"the driver {error.name} is not installed: pip install 'xinshi[{backend}]'"
        raise ValueError(msg) from None


def _run_on_connect(engine: Engine, statement: str) -> None:
    """Run a statement on each new connection of an engine."""

    @event.listens_for(engine, "connect")
    def run_statement(raw: Any, _record: Any) -> None:
        with raw.cursor() as cursor:
            cursor.execute(statement)
        raw.commit()


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Run the block in one transaction that writes; commit at its end, roll back on an error.

    Raises `Unavailable` when the database cannot be reached, and `CommitUnknown` when it was cut
    off while it committed: a caller that acts on what was written reads it back first.
    """
    with _write_lock(engine), _errors_translated(), engine.connect() as pooled:
        connection = pooled.execution_options(sqlite_begin="IMMEDIATE")
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
        outages.DATABASE.failed(msg)
        raise CommitUnknown(msg) from error


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run the block in one transaction that only reads. Raises `Unavailable` as `writing` does."""
    with _errors_translated(), engine.connect() as connection:
        yield connection


@contextlib.contextmanager
def _errors_translated() -> Iterator[None]:
    """Raise `Unavailable` for what the database or its driver raises in the block.

    Whether it answered is noted, for the log.
    """
    try:
        yield
        outages.DATABASE.answered()
    except (IntegrityError, DataError):
        # The values that were to be written are wrong, not the database.
        raise
    except PoolTimeout as error:
        msg = "all connections to the database are in use"
        raise Unavailable(msg) from error
    except DBAPIError as error:
        words = failures.explain(error)
        outages.DATABASE.failed(words)
        raise Unavailable(words) from error


@contextlib.contextmanager
def _write_lock(engine: Engine) -> Iterator[None]:
    """Hold the lock files of an SQLite database for the block; elsewhere there are none."""
    with contextlib.ExitStack() as held_locks:
        for lock in engine.get_execution_options().get("write_locks", ()):
            held_locks.enter_context(lock.held(WRITE_LOCK_SECONDS))
        yield


def _make_file(file: Path) -> None:
    """Make a database's file; raises `Unavailable` where this system user may not."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # The file holds numbers and texts: nobody else may read it.
        file.touch(mode=0o600)
    except OSError as error:
        msg = (
            f"{file} cannot be written ({error.strerror}): all processes have to run as the system"
            " user that owns it and its folder"
        )
        raise Unavailable(msg) from error


def _prepare_sqlite(engine: Engine, *, gives_way: bool) -> None:
    """Create the database's file, give the engine its locks, and set each new connection up."""
    file = Path(engine.url.database or "")
    _make_file(file)
    turn, mark = Path(f"{file}-turn"), WaiterMark(Path(f"{file}-waiting"))
    if gives_way:
        locks = [FairFileLock(Path(f"{file}-later")), mark, FairFileLock(turn)]
    else:
        locks = [FairFileLock(turn, mark)]
    engine.update_execution_options(write_locks=tuple(locks))

    @event.listens_for(engine, "connect")
    def set_pragmas(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={CONNECT_SECONDS * 1000}",
            "foreign_keys=ON",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")
