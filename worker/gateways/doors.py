"""Defines doors: a gateway's own interface for sending, offered by us to its former callers. Pure.

A program that called a gateway keeps its requests and changes only their address; behind the door
its messages are queued as all others are. A door's path, fields and answers are facts of its
gateway and stand in that gateway's file; no other module knows its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import httpx


@dataclass(frozen=True, slots=True)
class DoorRequest:
    """A request to send that came through a door: an API key's name, the key, numbers and text."""

    key_name: str
    secret: str
    numbers: tuple[str, ...]
    text: str


class Door(ABC):
    """A door: its path below the web process, how its requests are read and how it answers."""

    #: The gateway that it belongs to, as a configuration writes it in `web.doors`.
    name: ClassVar[str]
    path: ClassVar[str]

    @abstractmethod
    def read(self, request: httpx.Request) -> DoorRequest | None:
        """Read the request; None when it is not a call of this interface. Never raises."""

    @abstractmethod
    def acceptance(self, message_ids: Sequence[str]) -> httpx.Response:
        """Return the answer that the messages are stored, under `message_ids`."""

    @abstractmethod
    def refusal(self, reason: str) -> httpx.Response:
        """Return the answer that nothing was stored; `reason` holds neither numbers nor secrets."""
