"""Checks that a request belongs to the caller; another sender's is answered as if it did not exist.

Ids can be guessed, so every route checks before it shows or changes anything.
"""

from producer.web.api.authentication import Caller
from producer.web.context import AppContext
from worker.domain.errors import NotFound
from worker.intake import lookup
from worker.store import sender_pages
from worker.store.db import database

#: The largest id that the databases can look for.
MAX_ID = 2**63 - 1


def check(context: AppContext, caller: Caller, request_id: int, name: str) -> None:
    """Raise `NotFound` unless a request is the caller's own; runs in a thread."""
    with database.reading(context.engine) as connection:
        owner = sender_pages.sender_of(connection, request_id) if request_id <= MAX_ID else None
    if owner != caller.sender:
        msg = f"there is no {name}"
        raise NotFound(msg)


def check_message(context: AppContext, caller: Caller, message_id: str) -> None:
    """Raise `NotFound` unless a message is the caller's own."""
    request_id, _ = lookup.parse_id(message_id)
    check(context, caller, request_id, f"message {message_id}")
