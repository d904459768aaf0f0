"""Gathering: a gateway that forbids frequent singles is given few submissions with many messages.

Its word for that (`Advice.GATHER`) is remembered for a minute. Meanwhile messages of one call each,
whose content is equal, wait a moment for each other and go together, up to the batch cap, each
number at most once. Codes never wait; messages of campaigns are never mixed with others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from worker.domain.enums import Advice, MessageClass
from worker.gateways.base import Account, Content
from worker.store import accounts, events, gather
from worker.store.claims import Lease, PlannedSubmission
from worker.store.gather import Single
from worker.store.outcomes import CallOutcome
from worker.store.requests import DueRequest

#: How long singles are gathered after the gateway asked for it, in seconds.
LASTS = 60.0
#: How long the first one waits for others, in seconds.
MOMENT = 2.0
#: How many singles are looked at in one claim.
MOST = 4000


def heard(connection: Connection, calls: Iterable[CallOutcome]) -> None:
    """Remember which accounts were told to send fewer submissions."""
    for account in sorted({x.lease.account for x in calls if x.result.advice is Advice.GATHER}):
        accounts.ensure(connection, account)
        gather.ask_for(connection, account, LASTS)


@dataclass
class Gathering:
    """What may be gathered in one claim. Whoever was put together, or waits, is looked at once."""

    message_class: MessageClass
    accounts: frozenset[str] = frozenset()
    #: Singles that this claim has dealt with: fresh ones by request, others by submission.
    _requests: set[int] = field(default_factory=set)
    _submissions: set[int] = field(default_factory=set)
    _waiting: dict[str, list[Single]] | None = None
    _together: list[Single] = field(default_factory=list)

    def dealt_with(self, one: DueRequest | PlannedSubmission) -> bool:
        """Whether this was put together with others already, or waits for them."""
        if not self.accounts:
            return False
        return one.id in (
            self._submissions if isinstance(one, PlannedSubmission) else self._requests
        )

    def sizes(
        self,
        connection: Connection,
        account: Account,
        cap: int,
        one: DueRequest | PlannedSubmission,
    ) -> list[int] | None:
        """Return how many would go together through an account: [] when they wait for others.

        None when it is not gathered and goes as it is.
        """
        self.leave()
        if account.name not in self.accounts or not _alone(one):
            return None
        named = one.named if isinstance(one, PlannedSubmission) else one.account
        alike = self._alike(connection, named, one.content, one.kinds)
        if not any(_is(single, one) for single in alike):
            # It has ended meanwhile.
            return None
        by_number: dict[str, Single] = {}
        for single in alike:
            by_number.setdefault(single.msisdn, single)
        some = list(by_number.values())[:cap]
        waited = max(single.waited for single in some)
        if waited < MOMENT and len(some) < cap:
            gather.wait(connection, alike, MOMENT - waited)
            self._dealt(alike)
            return []
        if len(some) == 1:
            return None
        self._together = some
        return [len(some)]

    def leave(self) -> None:
        """Let those whom `sizes` spoke of last not go together."""
        self._together = []

    def together(self) -> Sequence[Single]:
        """Return those who go together, of whom `sizes` spoke last; they are dealt with now."""
        some, self._together = self._together, []
        self._dealt(some)
        return some

    def _alike(
        self, connection: Connection, account: str | None, content: Content, kinds: str
    ) -> list[Single]:
        if self._waiting is None:
            found = gather.planned(connection, self.message_class, MOMENT, MOST)
            found += gather.fresh(connection, self.message_class, MOMENT, MOST - len(found))
            found.sort(key=lambda single: single.since)
            self._waiting = dict(gather.by_content(found))
        alike = self._waiting.get(gather.key(account, content, kinds), [])
        return [
            one
            for one in alike
            if (
                one.request_id not in self._requests
                if one.submission_id is None
                else one.submission_id not in self._submissions
            )
        ]

    def _dealt(self, singles: Iterable[Single]) -> None:
        for one in singles:
            if one.submission_id is None:
                self._requests.add(one.request_id)
            else:
                self._submissions.add(one.submission_id)


def look(message_class: MessageClass, seen: Sequence[Any]) -> Gathering:
    """Return what may be gathered now, by what was seen of all accounts: of codes nothing."""
    if message_class is MessageClass.OTP:
        return Gathering(message_class)
    return Gathering(message_class, frozenset(row.account for row in seen if row.gathers))


def _alone(one: DueRequest | PlannedSubmission) -> bool:
    if isinstance(one, PlannedSubmission):
        return one.size == 1 and one.resend_of is None
    return one.total == 1 and one.next_n == 0 and not one.personal


def _is(single: Single, one: DueRequest | PlannedSubmission) -> bool:
    if isinstance(one, PlannedSubmission):
        return single.submission_id == one.id
    return single.submission_id is None and single.request_id == one.id


def put_together(
    connection: Connection,
    singles: Sequence[Single],
    lease: Lease,
    *,
    segments: int,
    seconds: float,
    owner: str,
) -> int:
    """Lease one submission for singles, and note what becomes of those that were planned."""
    made = gather.open_together(
        connection, singles, lease, segments=segments, seconds=seconds, owner=owner
    )
    about = [
        (one.submission_id, lease.account, {"into": made})
        for one in singles
        if one.submission_id is not None
    ]
    events.add_each(connection, "submission.gathered", owner, about)
    return made
