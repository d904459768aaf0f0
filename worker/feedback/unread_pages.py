"""Reads the pages and pushes that wait in the inbox, each apart: none of them holds up another."""

from collections.abc import Collection
from functools import partial
from time import monotonic

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.errors import Unavailable
from worker.feedback import page_intake, raw_pages
from worker.store.db import database
from worker.store.feedback import inbox, page_pieces

#: How many unread pages one run reads at the most.
MAX_PAGES = 100
#: After so many pages that the database did not take, a run ends.
MAX_UNAVAILABLE = 3


def read_waiting(engine: Engine, settings: Settings) -> None:
    """Read pages that a crash, or a run that had no more time, left unread.

    Pages of accounts that are not configured wait until they are.
    """
    _release_abandoned(engine)
    with database.reading(engine) as connection:
        ids = inbox.unread_page_ids(connection, list(settings.accounts), MAX_PAGES)
    read_apart(engine, settings, ids, monotonic() + page_intake.MAX_SECONDS)


def _release_abandoned(engine: Engine) -> None:
    """Let pages be read of which a process that died has stored a part alone, as far as it goes."""
    with database.reading(engine) as connection:
        ids = page_pieces.abandoned_ids(connection)
    for inbox_id in ids:
        with database.writing(engine) as connection:
            page_pieces.release(connection, inbox_id)


def read_apart(engine: Engine, settings: Settings, ids: Collection[int], deadline: float) -> None:
    """Read pages or pushes one after the other until `deadline` (monotonic).

    Raises `Unavailable` at the end when the database did not take all of them.
    """
    errors: list[Unavailable] = []
    for inbox_id in ids:
        if monotonic() >= deadline or len(errors) == MAX_UNAVAILABLE:
            break
        try:
            _read_row(engine, settings, inbox_id, deadline)
        except Unavailable as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _read_row(engine: Engine, settings: Settings, inbox_id: int, deadline: float) -> None:
    with database.reading(engine) as connection:
        row = inbox.find(connection, inbox_id)
    if row is not None:
        account = settings.accounts[row.account]
        read = partial(raw_pages.read_stored, account, row)
        page_intake.take_in(engine, settings, account.name, inbox_id, read, deadline)
