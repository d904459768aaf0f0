"""A gateway's own way of being asked to send, offered here for what spoke to it: a door. Pure.

What spoke to a gateway keeps its words and changes its address; behind the door its messages are
queued as all others are. A door's path, fields and answers are facts of its gateway and stand in
that gateway's file; nobody else knows its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import httpx


@dataclass(frozen=True, slots=True)
class DoorRequest:
    """What was asked through a door: who (the name of an API key), with which key, and what."""

    name: str
    secret: str
    to: tuple[str, ...]
    text: str


class Door(ABC):
    """A door: its path below the web process, and both halves of what is said through it."""

    #: The gateway that it belongs to: what a configuration writes in `web.doors`.
    name: ClassVar[str]
    path: ClassVar[str]

    @abstractmethod
    def read(self, request: httpx.Request) -> DoorRequest | None:
        """Read what was asked; None when it is no such call. Never raises."""

    @abstractmethod
    def accepted(self, ids: Sequence[str]) -> httpx.Response:
        """Answer that the messages are stored."""

    @abstractmethod
    def refused(self, why: str) -> httpx.Response:
        """Answer that nothing was stored, and why, in words without numbers or secrets."""
