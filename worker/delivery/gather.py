"""Gather single messages for a gateway that forbids frequent ones: few submissions, many messages.

Its word for that (`Advice.GATHER`) is remembered for a minute. Meanwhile messages of one call each,
whose content is equal, wait a moment for each other and go together, up to the batch cap, each
number at most once. Codes never wait; messages of campaigns are never mixed with others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from worker.domain.enums import Advice, MessageClass
from worker.gateways.base import Account
from worker.store import accounts, events
from worker.store.delivery import gather
from worker.store.delivery.call_outcomes import CallOutcome
from worker.store.delivery.claims import Lease, PlannedSubmission
from worker.store.delivery.gather import WaitingSingle
from worker.store.intake.requests import DueRequest

#: How long singles are gathered after the gateway asked for it, in seconds.
GATHER_SECONDS = 60.0
#: How long the first one waits for others, in seconds.
GATHER_WAIT = 2.0
#: How many singles are looked at in one claim.
MAX_GATHERED_SINGLES = 4000

#: What a claim found due: a request with messages to hand out, or a submission that was planned.
DueWork = DueRequest | PlannedSubmission


def note_advice(connection: Connection, calls: Iterable[CallOutcome]) -> None:
    """Remember which accounts were told to send fewer submissions."""
    advised = {
        call.lease.account
        for call in calls
        if any(result.advice is Advice.GATHER for result in call.verdicts)
    }
    for account_name in sorted(advised):
        accounts.ensure(connection, account_name)
        gather.start_gathering(connection, account_name, GATHER_SECONDS)


@dataclass
class SinglesGatherer:
    """The single messages that one claim may gather, and those that it has dealt with.

    A single that went with others, or waits for them, is not looked at again in the same claim.
    """

    message_class: MessageClass
    #: The accounts whose gateways asked for fewer submissions.
    gathering_accounts: frozenset[str] = frozenset()
    #: Singles that this claim has dealt with: fresh ones by request, others by submission.
    _requests: set[int] = field(default_factory=set)
    _submissions: set[int] = field(default_factory=set)
    #: All singles that wait, by content; None until they are needed.
    _waiting_by_content: dict[str, list[WaitingSingle]] | None = None
    #: The singles that `sizes` spoke of last, which would go together.
    _group: list[WaitingSingle] = field(default_factory=list)

    def has_dealt_with(self, due_work: DueWork) -> bool:
        """Whether this was put together with others already, or waits for them."""
        if not self.gathering_accounts:
            return False
        if isinstance(due_work, PlannedSubmission):
            return due_work.id in self._submissions
        return due_work.id in self._requests

    def sizes(
        self, connection: Connection, account: Account, cap: int, due_work: DueWork
    ) -> list[int] | None:
        """Return how many would go together through an account: [] when they wait for others.

        None when it is not gathered and goes as it is.
        """
        self.dissolve_group()
        if account.name not in self.gathering_accounts or not _is_gatherable(due_work):
            return None
        alike = self._singles_like(connection, due_work)
        if not any(_is_of(single, due_work) for single in alike):
            # It has ended meanwhile.
            return None
        by_number: dict[str, WaitingSingle] = {}
        for single in alike:
            by_number.setdefault(single.msisdn, single)
        group = list(by_number.values())[:cap]
        waited = max(single.waited for single in group)
        if waited < GATHER_WAIT and len(group) < cap:
            gather.postpone(connection, alike, GATHER_WAIT - waited)
            self._mark_dealt_with(alike)
            return []
        if len(group) == 1:
            return None
        self._group = group
        return [len(group)]

    def dissolve_group(self) -> None:
        """Let the singles that `sizes` spoke of last not go together."""
        self._group = []

    def take_group(self) -> Sequence[WaitingSingle]:
        """Return the singles that go together, as `sizes` said; from now on they are dealt with."""
        group, self._group = self._group, []
        self._mark_dealt_with(group)
        return group

    def _singles_like(self, connection: Connection, due_work: DueWork) -> list[WaitingSingle]:
        """Return the singles with the content of `due_work` that are not dealt with yet."""
        if self._waiting_by_content is None:
            self._waiting_by_content = self._read_waiting(connection)
        if isinstance(due_work, PlannedSubmission):
            requested_account = due_work.requested_account
        else:
            requested_account = due_work.account
        key = gather.content_key(requested_account, due_work.content, due_work.kinds)
        return [
            single
            for single in self._waiting_by_content.get(key, [])
            if (
                single.request_id not in self._requests
                if single.submission_id is None
                else single.submission_id not in self._submissions
            )
        ]

    def _read_waiting(self, connection: Connection) -> dict[str, list[WaitingSingle]]:
        """Read the singles that wait, by content, the longest waiting first."""
        message_class = self.message_class
        singles = gather.lock_planned(connection, message_class, GATHER_WAIT, MAX_GATHERED_SINGLES)
        limit = MAX_GATHERED_SINGLES - len(singles)
        singles += gather.lock_fresh(connection, message_class, GATHER_WAIT, limit)
        singles.sort(key=lambda single: single.since)
        return dict(gather.group_by_content(singles))

    def _mark_dealt_with(self, singles: Iterable[WaitingSingle]) -> None:
        for single in singles:
            if single.submission_id is None:
                self._requests.add(single.request_id)
            else:
                self._submissions.add(single.submission_id)


def gatherer_for(message_class: MessageClass, account_rows: Sequence[Any]) -> SinglesGatherer:
    """Return what may be gathered now, by what was read of all accounts: of codes nothing."""
    if message_class is MessageClass.OTP:
        return SinglesGatherer(message_class)
    gathering_accounts = frozenset(row.account for row in account_rows if row.gathers)
    return SinglesGatherer(message_class, gathering_accounts)


def _is_gatherable(due_work: DueWork) -> bool:
    """Whether it is one message alone: without values of its own, and no resend."""
    if due_work.template is not None or due_work.personal:
        return False
    if isinstance(due_work, PlannedSubmission):
        return due_work.size == 1 and due_work.resend_of is None and not due_work.barred
    return due_work.total == 1 and due_work.next_n == 0


def _is_of(single: WaitingSingle, due_work: DueWork) -> bool:
    """Whether a single is the message of this due work."""
    if isinstance(due_work, PlannedSubmission):
        return single.submission_id == due_work.id
    return single.submission_id is None and single.request_id == due_work.id


def lease_gathered(
    connection: Connection,
    singles: Sequence[WaitingSingle],
    lease: Lease,
    *,
    segments: int,
    seconds: float,
    owner: str,
) -> Lease:
    """Lease one submission for singles, and return it with its id.

    An event of each single that was planned says which submission it went into.
    """
    submission_id = gather.insert_gathered(
        connection, singles, lease, segments=segments, seconds=seconds, owner=owner
    )
    planned_ids = [single.submission_id for single in singles if single.submission_id is not None]
    detail = {"into": submission_id}
    notes = [(planned_id, lease.account, detail) for planned_id in planned_ids]
    events.add_for_submissions(connection, "submission.gathered", owner, notes)
    return replace(lease, id=submission_id)
