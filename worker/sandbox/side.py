"""A side: one gateway as its document describes it, seen from the server.

Each module in `worker.sandbox.sides` that has a `SIDE` holds one; they are found by looking into
that folder, so that a further gateway is a new file and no edit.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import Answer, Call, Request, Submission
from worker.sandbox.world import Account, Inbound, Report, World

#: Comma lists of mainland mobiles: eleven digits, 13 to 19 first.
MOBILES = re.compile("(?:1[3-9][0-9]{9},)*+1[3-9][0-9]{9}")
#: The same or landlines with their area code, as the samples of document 001 §四 show.
MOBILES_AND_LANDLINES = re.compile(
    "(?:(?:1[3-9][0-9]{9}|0[0-9]{9,11}),)*+(?:1[3-9][0-9]{9}|0[0-9]{9,11})"
)


class Side:
    """What every gateway has; a subclass fills in what its document says."""

    #: The gateway's name and the first part of its paths.
    name: ClassVar[str]
    #: What can be read from the gateway, and what it can push: `report`, `inbound`.
    pulled: ClassVar[frozenset[str]] = frozenset()
    pushed: ClassVar[frozenset[str]] = frozenset()
    #: Switches where the document leaves room, with their values at the start.
    defaults: ClassVar[Mapping[str, Any]] = {}
    #: The gateway's word for a misbehaviour of the account kind; `refuse` is the vaguest.
    words: ClassVar[Mapping[str, str]]
    #: How often a push is tried until it is answered as wanted.
    push_attempts: ClassVar[int] = 1

    def __init__(self, world: World) -> None:
        self.world = world
        self.options: dict[str, Any] = dict(self.defaults)

    def accounts(self) -> Sequence[Account]:
        """Name the accounts that exist from the start."""
        raise NotImplementedError

    def read(self, request: Request) -> Call:
        """Say which call this is, who makes it and to whom; verify nothing yet."""
        raise NotImplementedError

    def answer(self, call: Call) -> Answer:
        """Answer as the document says."""
        raise NotImplementedError

    def refuse(self, call: Call, code: str) -> Answer:
        """Refuse the call with this code, in the gateway's own form."""
        raise NotImplementedError

    def took_others(self, call: Call, honest: Answer) -> Answer:
        """Answer for a submission of which one number was bad and the others were taken."""
        refused = self.refuse_as(call, "take_others")
        refused.taken = honest.taken
        return refused

    def remember(self, account: str, taken: Submission, at: float) -> None:
        """Note what was taken, now or (after a restart) by an earlier run."""

    def push_report(self, report: Report) -> dict[str, Any]:
        """Write one report as the gateway pushes it."""
        raise NotImplementedError

    def push_inbound(self, inbound: Inbound) -> dict[str, Any]:
        """Write one inbound message as the gateway pushes it."""
        raise NotImplementedError

    def push_done(self, status: int, body: bytes) -> bool:
        """Say whether the receiver answered a push as the gateway wants it."""
        return status == 200

    # What sides share.

    def account(self, call: Call) -> Account | None:
        """Look up the account that the caller claims to be."""
        return self.world.accounts.get((self.name, call.account))

    def refuse_as(self, call: Call, what: str) -> Answer:
        """Refuse with the gateway's word for `what`, or its vaguest one."""
        return self.refuse(call, self.words.get(what, self.words["refuse"]))

    def funds_for(self, account: Account, taken: Submission) -> bool:
        """Say whether the account can pay for what is about to be taken."""
        cost = taken.segments * len(taken.msisdns)
        return account.postpaid or self.world.balance(account, taken.pool) >= cost

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Change switches; raises `ValueError` for an unknown name or a value of another kind."""
        for name, value in options.items():
            if name not in self.defaults:
                msg = f"{self.name} has no option {name!r}, it has {_list(self.defaults)}"
                raise ValueError(msg)
            wanted = type(self.defaults[name])
            if not isinstance(value, wanted) and not (wanted is float and type(value) is int):
                msg = f"{self.name}'s option {name!r} is a {wanted.__name__}, not {value!r}"
                raise ValueError(msg)
        self.options.update(options)


def numbers(raw: bytes) -> list[str]:
    """Split a comma list of numbers; an empty one has none."""
    stripped = raw.strip()
    return stripped.decode("latin-1").split(",") if stripped else []


def all_match(pattern: re.Pattern[str], listed: list[str]) -> bool:
    """Say whether every number of the list has the pattern's form."""
    return pattern.fullmatch(",".join(listed)) is not None


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
