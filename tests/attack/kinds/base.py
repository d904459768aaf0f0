"""What a kind of attack is, and what it has at hand."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from tests.attack import wire

#: What the attacker's texts say; none of it may stand in a log.
TEXT = "【敌手】本条由攻击者发送，请勿回复"
#: Receivers of the attacker that hang, each a callback of its own.
RECEIVERS = 60


@dataclass
class Field:
    """Where an attack takes place."""

    #: The port of the attacker's receivers.
    receiver: int
    #: Which part of their full size bodies and lists have.
    scale: float
    #: The port of the web process, and the attacker's API key.
    web: int
    key: str
    #: The tokens that the hostile gateway pushes with, by account.
    tokens: Mapping[str, str]
    _numbers: int = field(default=0, init=False)

    def number(self) -> str:
        """Return a mobile number that nobody had before."""
        self._numbers += 1
        return f"137{self._numbers:08d}"

    def sized(self, full: int) -> int:
        """Return how large something is that is `full` at its full size; at least 1."""
        return max(1, int(full * self.scale))

    async def send(self, **fields: object) -> str:
        """Send a notice with the attacker's key; return the answer's status."""
        body = {"to": self.number(), "text": TEXT, **fields}
        return str((await wire.post(self.web, "/v1/messages", self.key, body))[0])


Act = Callable[[Field, random.Random], Awaitable[str]]


@dataclass(frozen=True)
class Kind:
    """A kind of attack: what it does, how often, and how much of it at a time.

    `act` returns in a word what it met with, and raises what `wire.NO_ANSWER` lists.
    """

    name: str
    what: str
    act: Act
    #: Acts a second; as many honest calls are made in its place before.
    rate: float
    #: Acts under way at a time, and how many of them begin at once.
    most: int = 40
    at_once: int = 0
    #: Whether each act asks for a callback of its own.
    tells: bool = False
    #: The accounts whose gateway misbehaves meanwhile.
    accounts: tuple[str, ...] = ()
