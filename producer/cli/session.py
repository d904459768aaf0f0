"""What one command works on: the configuration that it was given and, when needed, its database."""

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


class Chosen:
    """What was said before the command's name."""

    config: ClassVar[Path | None] = None


class Session:
    """A configuration that was read, and its producer and database once they are asked for."""

    def __init__(self, settings: "Settings") -> None:
        self.settings = settings

    @cached_property
    def producer(self) -> "Producer":
        """Enqueues and rings."""
        from producer import Producer

        return Producer(self.settings)

    @property
    def engine(self) -> "Engine":
        """The database. Raises `ConfigurationError` when its URL cannot be used."""
        from sqlalchemy.exc import ArgumentError

        try:
            return self.producer.engine
        except ArgumentError:
            what = "is no URL of a database that can be read; see docs/configuration.md"
        except ValueError as error:
            what = str(error)
        except OSError as error:
            what = f"its folder cannot be made: {error.strerror}"
        raise ConfigurationError([Problem("database_url", what)])

    def ring(self, message_class: "MessageClass", stored: str) -> None:
        """Ring the bell; when nobody hears it, say that what is `stored` waits."""
        from producer.cli import output

        if not self.producer.ring(message_class):
            output.hint(
                f"{stored}; no worker heard the bell: it waits until one looks (`xinshi up`)"
            )

    def account(self, name: str) -> "Account":
        """Return the account of that name, or raise `Refused` naming those that there are."""
        if name not in self.settings.accounts:
            known = ", ".join(self.settings.accounts) or "none is configured"
            raise Refused([Problem("account", f"there is no {name!r}; the accounts are: {known}")])
        return self.settings.accounts[name]

    def accounts(self, name: str | None) -> "list[Account]":
        """Return the one account that was named, else all."""
        return [self.account(name)] if name else list(self.settings.accounts.values())

    def close(self) -> None:
        """Let go of the database."""
        if "producer" in self.__dict__:
            self.producer.close()


def read(config: Path | None) -> "Settings":
    """Read the configuration: the one named after the command, else before it, else as always."""
    from worker.config import settings

    return settings.load(config or Chosen.config)


@contextlib.contextmanager
def opened(config: Path | None) -> Iterator[Session]:
    """Lend a session to the block; a database without our tables is named as such."""
    from sqlalchemy.exc import DBAPIError

    _quieten()
    here = Session(read(config))
    try:
        yield here
    except (Unavailable, DBAPIError) as error:
        raise _explained(here, error) from error
    finally:
        here.close()


def schema_problem(engine: "Engine") -> str | None:
    """Say what is wrong with the schema of a database that answers; None when nothing is."""
    from worker.store import migrations

    there, newest = migrations.revision(engine), migrations.newest()
    if there == newest:
        return None
    if there is None:
        return "the database has no tables of Xinshi yet; run `xinshi migrate`"
    return (
        f"the database's schema is at {there} and this version needs {newest};"
        " run `xinshi migrate`, or install the version that made it"
    )


def _explained(here: Session, error: Exception) -> Unavailable:
    from sqlalchemy.exc import DBAPIError

    from worker.store.db import database

    with contextlib.suppress(Exception):
        behind = schema_problem(here.engine)
        if behind:
            return Unavailable(behind)
    if isinstance(error, DBAPIError):
        return Unavailable(f"the database does not answer as it should: {database.reason(error)}")
    return Unavailable(str(error))


def _quieten() -> None:
    """Only errors are logged by a command, to standard error; its own words say the rest."""
    import structlog

    from worker.runtime import logs

    if not structlog.is_configured():
        logs.configure("ERROR")
