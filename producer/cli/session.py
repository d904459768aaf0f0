"""The session of one command: its configuration and, once it is needed, its database."""

import contextlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from worker.domain.errors import (
    ConfigurationError,
    Problem,
    Refused,
    Unavailable,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from producer import Producer
    from worker.config.settings import Settings
    from worker.domain.enums import MessageClass
    from worker.gateways.base import Account


#: The most characters of a person's name in an event.
MAX_OPERATOR_NAME_LENGTH = 60


class GlobalOptions:
    """The options that were given before the command's name."""

    config: ClassVar[Path | None] = None


class Session:
    """The settings that a command works with, and their producer and database.

    The producer and the engine are made when they are first used.
    """

    def __init__(self, settings: "Settings") -> None:
        self.settings = settings

    @cached_property
    def producer(self) -> "Producer":
        """The producer of the settings, which enqueues and rings the doorbell."""
        from producer import Producer

        return Producer(self.settings)

    @property
    def engine(self) -> "Engine":
        """The engine of the database. Raises `ConfigurationError` when its URL cannot be used."""
        from sqlalchemy.exc import ArgumentError

        try:
            return self.producer.engine
        except ArgumentError:
            problem = "is no URL of a database that can be read; see docs/configuration.md"
        except ValueError as error:
            problem = str(error)
        raise ConfigurationError([Problem("database_url", problem)])

    def ring(self, message_class: "MessageClass", what_happened: str) -> None:
        """Ring the doorbell of a class; when no worker hears it, print a hint that the work waits.

        `what_happened` begins the hint: "stored", "loaded", "started".
        """
        from producer.cli import output

        if not self.producer.ring(message_class):
            output.print_hint(
                f"{what_happened}; no worker heard the bell: it waits until one looks (`xinshi up`)"
            )

    def account(self, name: str) -> "Account":
        """Return the account of a name. Raises `Refused`, listing all names, when there is none."""
        if name not in self.settings.accounts:
            account_names = ", ".join(self.settings.accounts) or "none is configured"
            raise Refused(
                [Problem("account", f"there is no {name!r}; the accounts are: {account_names}")]
            )
        return self.settings.accounts[name]

    def accounts(self, name: str | None) -> "list[Account]":
        """Return the account of a name, or all accounts when no name is given."""
        return [self.account(name)] if name else list(self.settings.accounts.values())

    def close(self) -> None:
        """Close the database's connections, if any were opened."""
        if "producer" in self.__dict__:
            self.producer.close()


def read_settings(config: Path | None) -> "Settings":
    """Read the configuration from the file named after the command, else from that before it.

    Where neither was given, `worker.config.settings.load` finds it. Warnings are printed.
    """
    from producer.cli import output
    from worker.config import settings

    settings_read = settings.load(config or GlobalOptions.config)
    output.print_warnings(settings_read.warnings)
    return settings_read


@contextlib.contextmanager
def open_session(config: Path | None) -> Iterator[Session]:
    """Lend a session to the block, and close it.

    A database error of the block is raised as `Unavailable`, with the reason: where the schema is
    missing or of another version, that.
    """
    from sqlalchemy.exc import DBAPIError

    _log_errors_only()
    session = Session(read_settings(config))
    try:
        yield session
    except (Unavailable, DBAPIError) as error:
        raise _explained_failure(session, error) from error
    finally:
        session.close()


def operator_name(given: str | None = None) -> str:
    """Return the name under which the acts of the person who runs a command are recorded.

    It is the name that was given, else the login's; as much of it as an event holds.
    """
    import getpass

    try:
        return (given or getpass.getuser())[:MAX_OPERATOR_NAME_LENGTH]
    except (KeyError, OSError):
        return "somebody"


def schema_problem(engine: "Engine") -> str | None:
    """Say what is wrong with the schema of a database that answers; None when nothing is."""
    from worker.store import migrations

    current, newest = migrations.revision(engine), migrations.newest_revision()
    if current == newest:
        if migrations.has_view(engine):
            return None
        return (
            "the view xinshi_messages is missing; run `xinshi migrate` as a user with CREATE VIEW"
        )
    if migrations.is_newer(current):
        return f"the database's schema is at {current}, and a newer version than this one made it"
    if current is None:
        return "the database has no tables of Xinshi yet; run `xinshi migrate`"
    return (
        f"the database's schema is at {current} and this version needs {newest};"
        " run `xinshi migrate`"
    )


def _explained_failure(session: Session, error: Exception) -> Unavailable:
    """Return the error to raise for a failure of the database, with the reason for it."""
    from sqlalchemy.exc import DBAPIError

    from worker.store.db import failures

    cause = error if isinstance(error, DBAPIError) else error.__cause__
    if not isinstance(cause, DBAPIError):
        return Unavailable(str(error))
    with contextlib.suppress(Exception):
        problem = schema_problem(session.engine) if failures.is_schema_missing(cause) else None
        if problem:
            return Unavailable(problem)
    return Unavailable(failures.explain(cause))


def _log_errors_only() -> None:
    """Log nothing but errors, to standard error: a command prints everything else itself."""
    import structlog

    from worker.runtime import logs

    if not structlog.is_configured():
        logs.configure("ERROR")
