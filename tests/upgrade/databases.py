"""Databases to be recorded: each is lent empty, can be kept from its writers, and dumped."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1/postgres"
NAME = "xinshi_recording"


@dataclass(frozen=True)
class Recorded:
    """A database, while it is recorded."""

    url: str
    #: Its URL as the configuration has it.
    configured: str
    #: Refuses all writers for as long as its block lasts.
    deaf: Callable[[], AbstractContextManager[None]]
    #: Returns all that it holds, as SQL.
    dump: Callable[[], str]


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Recorded]:
    """Lend a file in a folder."""
    path = folder / "xinshi.db"

    @contextlib.contextmanager
    def deaf() -> Iterator[None]:
        # A writer gives up after some seconds.
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield
            holder.execute("ROLLBACK")

    def dump() -> str:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return "\n".join(connection.iterdump()) + "\n"

    yield Recorded(f"sqlite:///{path}", "sqlite:///xinshi.db", deaf, dump)


@contextlib.contextmanager
def postgresql(_folder: Path) -> Iterator[Recorded]:
    """Lend a database of a server's, and remove it afterwards."""
    server = make_url(os.environ.get("XINSHI_TEST_POSTGRESQL", POSTGRESQL))
    url = server.set(database=NAME)
    admin = create_engine(server, isolation_level="AUTOCOMMIT")

    def execute(*statements: str) -> None:
        with admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    end_all = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{NAME}'"

    @contextlib.contextmanager
    def deaf() -> Iterator[None]:
        execute(f"ALTER DATABASE {NAME} SET default_transaction_read_only = on", end_all)
        yield
        execute(f"ALTER DATABASE {NAME} RESET default_transaction_read_only", end_all)

    def dump() -> str:
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        words = ("--inserts", "--no-owner", "--no-privileges", "--dbname", plain)
        dumped = subprocess.run(["pg_dump", *words], check=True, capture_output=True, text=True)
        # What psql alone understands, and comments, are left out.
        lines = dumped.stdout.splitlines()
        kept = [line for line in lines if line and not line.startswith(("--", "\\"))]
        return "\n".join(kept) + "\n"

    drop = f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)"
    execute(drop, f"CREATE DATABASE {NAME}")
    try:
        shown = url.render_as_string(hide_password=False)
        yield Recorded(shown, shown, deaf, dump)
    finally:
        execute(drop)
        admin.dispose()
