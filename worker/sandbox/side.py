"""Defines a side: the server side of one gateway, as its document describes it.

Each module in `worker.sandbox.sides` that has a `SIDE` holds one. They are found in that folder, so
that a further gateway is a new file and no edit.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.world import SandboxAccount, SandboxInbound, SandboxReport, World

#: Comma lists of mainland mobiles: eleven digits, 13 to 19 first.
MOBILES = re.compile("(?:1[3-9][0-9]{9},)*+1[3-9][0-9]{9}")
#: The same or landlines with their area code, as the samples of document 001 §四 show.
MOBILES_AND_LANDLINES = re.compile(
    "(?:(?:1[3-9][0-9]{9}|0[0-9]{9,11}),)*+(?:1[3-9][0-9]{9}|0[0-9]{9,11})"
)

#: What is pushed: the fields of one report or message, or a list, which only JSON can hold.
PushBody = dict[str, Any] | list[dict[str, Any]]


class Side:
    """A gateway's server side; a subclass answers as the gateway's document says."""

    #: The gateway's name and the first part of its paths.
    name: ClassVar[str]
    #: What customers can read from the gateway, and what it can push: `report`, `inbound`.
    pullable: ClassVar[frozenset[str]] = frozenset()
    pushable: ClassVar[frozenset[str]] = frozenset()
    #: Options where the document leaves room, with their values at the start.
    defaults: ClassVar[Mapping[str, Any]] = {}
    #: The gateway's code for each refusal that a rule can ask for; `refuse` is the vaguest.
    refusal_codes: ClassVar[Mapping[str, str]]
    #: How often a push is tried until its receiver accepts it.
    push_attempts: ClassVar[int] = 1

    def __init__(self, world: World) -> None:
        self.world = world
        self.options: dict[str, Any] = dict(self.defaults)

    def accounts(self) -> Sequence[SandboxAccount]:
        """Return the accounts that exist from the start."""
        raise NotImplementedError

    def read(self, request: SandboxRequest) -> GatewayCall:
        """Read which call this is, who makes it and to whom; verify nothing yet."""
        raise NotImplementedError

    def answer(self, call: GatewayCall) -> SandboxAnswer:
        """Answer as the document says."""
        raise NotImplementedError

    def refuse(self, call: GatewayCall, code: str) -> SandboxAnswer:
        """Refuse the call with this code, in the gateway's own form."""
        raise NotImplementedError

    def answer_for_others(self, call: GatewayCall, honest_answer: SandboxAnswer) -> SandboxAnswer:
        """Answer for a submission of which one number was bad and the others were taken."""
        refusal = self.refuse_for(call, "take_others")
        refusal.submission = honest_answer.submission
        return refusal

    def remember(self, account: str, submission: TakenSubmission, at: float) -> None:
        """Note a submission that was taken, now or (after a restart) by an earlier run."""

    def push_report(self, report: SandboxReport) -> PushBody:
        """Return the fields of a report as the gateway pushes it, or a list of such for JSON."""
        raise NotImplementedError

    def push_inbound(self, inbound: SandboxInbound) -> PushBody:
        """Return the fields of an inbound message, or a list of such, as the gateway pushes it."""
        raise NotImplementedError

    def accepts_push_answer(self, status: int, body: bytes) -> bool:
        """Tell whether the receiver answered a push as the gateway wants it."""
        return status == 200

    # All sides share these.

    def account(self, call: GatewayCall) -> SandboxAccount | None:
        """Look up the account that the caller claims to be."""
        return self.world.accounts.get((self.name, call.account))

    def refuse_for(self, call: GatewayCall, what: str) -> SandboxAnswer:
        """Refuse with the gateway's word for `what`, or its vaguest one."""
        return self.refuse(call, self.refusal_codes.get(what, self.refusal_codes["refuse"]))

    def can_pay(self, account: SandboxAccount, submission: TakenSubmission) -> bool:
        """Tell whether the account can pay for the submission that is about to be taken."""
        cost = submission.segment_sum
        return account.postpaid or self.world.balance(account, submission.pool) >= cost

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Change options; raises `ValueError` for an unknown name or a value of another kind."""
        for name, value in options.items():
            if name not in self.defaults:
                msg = f"{self.name} has no option {name!r}, it has {_join_names(self.defaults)}"
                raise ValueError(msg)
            option_type = type(self.defaults[name])
            is_whole_float = option_type is float and type(value) is int
            if not isinstance(value, option_type) and not is_whole_float:
                msg = f"{self.name}'s option {name!r} is a {option_type.__name__}, not {value!r}"
                raise ValueError(msg)
        self.options.update(options)


def split_numbers(raw: bytes) -> list[str]:
    """Split a comma list of numbers; an empty one has none."""
    text = raw.strip()
    return text.decode("latin-1").split(",") if text else []


def all_match(pattern: re.Pattern[str], numbers: list[str]) -> bool:
    """Tell whether every number of the list has the pattern's form."""
    return pattern.fullmatch(",".join(numbers)) is not None


def _join_names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
