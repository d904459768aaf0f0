"""Tells a backend what happens in this process, so that metrics can be made of it.

Whoever has something to tell calls a method of `backend` with plain words and figures. Until a
process installs another one, `backend` keeps nothing, and an event costs an empty call. No event
carries a number, a text, a key or a gateway's own words.
"""

from collections.abc import Sequence
from typing import NamedTuple


class CallShare(NamedTuple):
    """The messages of one call that had one outcome."""

    outcome: str
    #: The gateway's code, where its table has it, of what was not accepted; "other"; or "".
    code: str
    messages: int
    segments: int


class Backend:
    """Takes events; this one keeps nothing. Durations are in seconds."""

    def enqueued(self, message_class: str, door: str, messages: int, seconds: float) -> None:
        """Take that a request was stored which came by a door, and how long the caller waited."""

    def claim_ended(self, seconds: float) -> None:
        """Take how long a claim took, with its write-ahead."""

    def handed_out(self, message_class: str, waited: float) -> None:
        """Take how long a single message had waited when it was written ahead first."""

    def call_ended(
        self, account: str, message_class: str, seconds: float, shares: Sequence[CallShare]
    ) -> None:
        """Take how a call ended for its messages, once that is recorded."""

    def recorded(self, seconds: float) -> None:
        """Take how long it took to record the outcomes of some calls."""

    def throttled(self, account: str, limit: str) -> None:
        """Take that an account gave fewer permits than were asked for, by its rate or its slots."""

    def lost_leases(self, count: int) -> None:
        """Take that leases ran out before their calls were recorded."""

    def reported(self, account: str, carrier: str, status: str) -> None:
        """Take that a new report was stored."""

    def delivered(self, account: str, carrier: str, seconds: float) -> None:
        """Take how long after its call a message was reported to be delivered."""

    def inbound(self, account: str, kind: str) -> None:
        """Take that a new inbound message was stored: `reply`, or what its reply asks for."""

    def opted_out(self, source: str) -> None:
        """Take that a number is on the list of opt-outs which was not."""

    def callback_tried(self, result: str) -> None:
        """Take how one try at telling an application ended."""


#: The backend of this process.
backend = Backend()


def install(installed: Backend) -> None:
    """Let another backend take the events of this process from here on."""
    global backend  # noqa: PLW0603 - a process has one, and every module tells it
    backend = installed


def is_on() -> bool:
    """Whether events are kept: what costs more than a call to tell is told only then."""
    return type(backend) is not Backend
