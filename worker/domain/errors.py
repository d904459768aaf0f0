"""Define every error that Xinshi raises on purpose.

    XinshiError
    ├── Refused                  bad input; nothing was stored
    │   └── KeyConflict          the idempotency key stands for another request
    ├── NotFound
    ├── TooLate                  the message has already been handed over
    │   └── ValidityOver         a campaign needs a new end of its validity
    ├── ConfigurationError       the configuration's faults, all at once
    ├── Unavailable              the database does not answer; repeat with the same key
    │   └── CommitUnknown        it was cut off while it committed; read back before acting on it
    └── WireError                raised by `worker.gateways.transport.client`
        ├── NotSent              no byte of the request left this machine
        │   ├── NotAsked         the account guard let no call through
        │   └── ProxyRefusal     the proxy that the account names lets nothing through
        └── OutcomeUnknown       the gateway may have taken it

Messages hold no secret, no whole number and no text.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class XinshiError(Exception):
    """The root of the tree: catch it to catch every error that Xinshi raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in an argument, a file or the configuration.

    `where` names the argument, key or row (`"to"`, `"text"`, `"row 3"`); `what` says what is wrong
    and what to do.
    """

    where: str
    what: str

    def __str__(self) -> str:
        """Return `where: what`."""
        return f"{self.where}: {self.what}"


class Refused(XinshiError):
    """Bad input: nothing was stored and nothing will be sent.

    `problems` holds every problem that was found, not only the first.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


class KeyConflict(Refused):
    """The idempotency key was used before, by the same sender, for another request."""


class NotFound(XinshiError):
    """There is no message, campaign or account with that id or name."""


class TooLate(XinshiError):
    """The call comes too late: the message has been handed over, or it has ended."""


class ValidityOver(TooLate):
    """A campaign is past its validity: starting it needs a new end, until which it may be sent."""


class ConfigurationError(XinshiError):
    """The configuration is wrong. `problems` holds every fault, each with its key."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Unavailable(XinshiError):
    """The database does not answer. The call may have taken effect: repeat it with its key."""


class CommitUnknown(Unavailable):
    """The connection was lost during a COMMIT, which may have succeeded."""


class WireError(XinshiError):
    """A call ended without an answer."""


class NotSent(WireError):
    """No byte of the request left this machine: it is safe to send it again."""


class NotAsked(NotSent):
    """The account is held, or the call got no turn at it in time: nothing was sent."""


class ProxyRefusal(NotSent):
    """The account's own proxy refuses to open a tunnel, as it will again: nothing was sent.

    With `wants_login` it refused the account's credentials: shown often, they lock their user.
    """

    def __init__(self, words: str, *, wants_login: bool = False) -> None:
        self.wants_login = wants_login
        super().__init__(words)


class OutcomeUnknown(WireError):
    """The gateway may have taken the request: never send it again on this ground alone."""
