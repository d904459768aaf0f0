"""Whose is it? A sender sees its own, and is told of others' that there is nothing.

Ids can be guessed: each is checked before anything is shown or done.
"""

from producer.web.api.authentication import Caller
from producer.web.context import AppContext
from worker.domain.errors import NotFound
from worker.intake import lookup
from worker.store import sender_pages
from worker.store.db import database

#: The databases could not even look for more.
MOST_ID = 2**63 - 1


def check(here: AppContext, caller: Caller, request_id: int, what: str) -> None:
    """Raise `NotFound` unless a request is the caller's own; runs in a thread."""
    with database.reading(here.engine) as connection:
        found = sender_pages.owner(connection, request_id) if request_id <= MOST_ID else None
    if found != caller.sender:
        msg = f"there is no {what}"
        raise NotFound(msg)


def check_message(here: AppContext, caller: Caller, message_id: str) -> None:
    """Raise `NotFound` unless a message is the caller's own."""
    request_id, _ = lookup.parse_id(message_id)
    check(here, caller, request_id, f"message {message_id}")
