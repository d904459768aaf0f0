"""Wait until messages have ended, and show meanwhile how many are in which state."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.enums import MessageState, Reports
from worker.domain.transitions import END_STATES, FAILED_STATES, TAKEN_STATES
from worker.intake import lookup
from worker.intake.lookup import Message

#: Seconds between two readings of the messages.
POLL_SECONDS = 0.25
_GOOD_STATES = TAKEN_STATES - FAILED_STATES


def is_settled(message: Message, settings: Settings) -> bool:
    """Return whether a message has ended, or is not likely to change soon.

    `submitted` is an end where the account has no reports or the report is no longer awaited.
    """
    if message.state is MessageState.SUBMITTED:
        account = settings.accounts.get(message.account or "")
        no_report = account is None or account.reports is Reports.NONE
        return no_report or message.closed_at is not None
    return message.state in END_STATES or message.state is MessageState.UNKNOWN


def all_went_well(messages: Sequence[Message], settings: Settings) -> bool:
    """Return whether every message was taken by its gateway and none failed afterwards."""
    return all(
        message.state in _GOOD_STATES and is_settled(message, settings) for message in messages
    )


def wait_until_settled(
    engine: Engine,
    settings: Settings,
    ids: list[str],
    seconds: float,
    show_summary: Callable[[str], None],
) -> list[Message]:
    """Read messages until all are settled or `seconds` are over; returns them as they are then.

    `show_summary` is called with `state_summary` whenever that has changed.
    """
    deadline = time.monotonic() + seconds
    shown_summary = ""
    while True:
        messages = lookup.get_all(engine, ids)
        summary = state_summary(messages)
        if summary != shown_summary:
            show_summary(summary)
            shown_summary = summary
        if (
            all(is_settled(message, settings) for message in messages)
            or time.monotonic() >= deadline
        ):
            return messages
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def state_summary(messages: Sequence[Message]) -> str:
    """Return how many messages are in which state: `1 queued, 2 delivered`."""
    counts = Counter(message.state.value for message in messages)
    return ", ".join(f"{counts[state]} {state}" for state in MessageState if counts[state])
