"""Claim due work: put it in flight, in one transaction, at accounts that can take it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import Connection

from worker import instrumentation
from worker.config.settings import Settings
from worker.delivery import cuts, gather, permits, rerouting
from worker.delivery.account_choice import AccountChoice, AccountSelector, Wait
from worker.delivery.admission import (
    admit,
    personal_costs,
    planned_cost,
    planned_query,
    request_query,
)
from worker.delivery.gather import DueWork, SinglesGatherer
from worker.delivery.new_leases import (
    RoutingNotes,
    gathered_lease,
    new_reference,
    request_lease,
)
from worker.delivery.permits import Permits
from worker.delivery.single_leases import lease_singles
from worker.delivery.throttle import Throttle
from worker.domain.enums import MessageClass, MessageState, SubmissionState
from worker.gateways import contents
from worker.policy.eligibility import can_carry
from worker.policy.gcra import Cost
from worker.store import accounts
from worker.store.delivery import (
    account_doubts,
    batch_split,
    claims,
    new_submissions,
    outcomes,
    stops,
    submission_messages,
)
from worker.store.delivery.claims import Lease, PlannedSubmission
from worker.store.delivery.gather import WaitingSingle
from worker.store.intake import requests
from worker.store.intake.requests import DueRequest

#: Due rows looked at in one claim.
MAX_CLAIMED_ROWS = 64


@dataclass
class Claim:
    """One look for due work of a class, within one transaction."""

    #: The accounts that the work may go to.
    selector: AccountSelector
    owner: str
    #: Single messages that wait for each other.
    gatherer: SinglesGatherer
    #: Whether a planned submission's time may have come.
    planned_due: bool = True
    #: Whether a person stopped the class: then nothing is leased.
    stopped: bool = False
    #: Accounts that have no row yet: what was read of the others is all that there is of them.
    rowless: Sequence[str] = ()
    #: Whether more may be due than this claim has looked at.
    more: bool = False
    #: For how many seconds the single messages had waited that are leased: a campaign may have been
    #: loaded long before somebody started it.
    waits: list[float] = field(default_factory=list)
    _notes: RoutingNotes = field(default_factory=RoutingNotes)

    @property
    def full(self) -> bool:
        """Whether no account has a free slot."""
        return self.selector.full

    @property
    def crowded(self) -> bool:
        """Whether due work waits for nothing but a free slot: look again soon."""
        return self.selector.crowded

    @property
    def permits(self) -> Permits:
        """The permits that this claim asked for, and the accounts that gave none."""
        return self.selector.permits

    def take(self, connection: Connection) -> list[Lease]:
        """Lease what is due and has a slot: planned submissions first, then fresh requests."""
        for account_name in self.rowless:
            accounts.ensure(connection, account_name)
        limit = min(MAX_CLAIMED_ROWS, self.selector.total_free_slots)
        if limit <= 0 or self.stopped:
            return []
        leases = self._take_planned(connection, limit) if self.planned_due else []
        leases += self._take_requests(connection, limit)
        self._notes.write(connection, self.owner)
        return leases

    def _take_planned(self, connection: Connection, limit: int) -> list[Lease]:
        """Lease up to `limit` submissions that were planned and whose time has come."""
        due = claims.lock_due(connection, self.selector.message_class, limit)
        self.more = self.more or len(due) >= limit
        leases: list[Lease] = []
        for planned in due:
            if not self.gatherer.has_dealt_with(planned):
                leases += self._lease_planned(connection, planned)
        return leases

    def _take_requests(self, connection: Connection, limit: int) -> list[Lease]:
        """Lease messages of up to `limit` requests that are due, the longest waiting first.

        Neighbours that are one message each are leased together.
        """
        due = requests.lock_due(
            connection, self.selector.message_class, limit, self.selector.closed_accounts
        )
        self.more = self.more or len(due) >= limit
        leases: list[Lease] = []
        for are_plain_singles, neighbours in groupby(due, self._is_plain_single):
            if are_plain_singles:
                leases += lease_singles(
                    connection, self.selector, self._notes, list(neighbours), self.owner
                )
                continue
            for due_request in neighbours:
                if not self.gatherer.has_dealt_with(due_request):
                    leases += self._lease_request(connection, due_request)
        if instrumentation.is_on():
            begun_ids = {lease.request_id for lease in leases}
            self.waits += [
                request.waited for request in due if request.total == 1 and request.id in begun_ids
            ]
        return leases

    def _is_plain_single(self, due_request: DueRequest) -> bool:
        """Whether it is one message that neither probes an account nor waits for equal ones."""
        return (
            due_request.is_last_message
            and not self.selector.doubts
            and not self.gatherer.gathering_accounts
        )

    def _lease_planned(self, connection: Connection, planned: PlannedSubmission) -> list[Lease]:
        """Lease a planned submission, alone or with equal singles; [] and postponed if it waits."""

        def costs_at(choice: AccountChoice) -> list[Cost]:
            self.gatherer.dissolve_group()
            if planned.personal and choice.account.settings.segments_per_second:
                return [planned_cost(connection, choice, planned)]
            alone = min(planned.size, cuts.largest(choice, planned))
            return self._costs(connection, choice, planned, [alone])

        query = planned_query(connection, self.selector, planned)
        admission = admit(connection, self.selector, query, costs_at)
        if isinstance(admission, Wait):
            if planned.barred and not can_carry(self.selector.settings.accounts.values(), query):
                rerouting.end_stranded(connection, planned, self.owner)
            elif admission.seconds:
                claims.postpone(connection, planned.id, admission.seconds)
            return []
        choice, (receipt, *_) = admission
        if singles := self.gatherer.take_group():
            return self._lease_gathered(connection, choice, planned, singles, receipt)
        if cuts.largest(choice, planned) < planned.size:
            planned = self._cut(connection, planned, choice)
        account = choice.account
        lease = claims.write_ahead(
            connection,
            planned,
            account.name,
            contents.segment_count(account, choice.content),
            new_reference(account),
            seconds=self.selector.in_flight_seconds(account),
            owner=self.owner,
            binding_id=choice.binding_id,
        )
        if lease is None:
            return []
        lease = replace(lease, permit=receipt, content=choice.content, rendering=choice.rendering)
        return self._notes.note(choice, [lease])

    def _cut(
        self, connection: Connection, planned: PlannedSubmission, choice: AccountChoice
    ) -> PlannedSubmission:
        """Plan a submission again in pieces that its account can take, and return the first.

        Where the first is a probe, all that it does not carry is one piece: another account may
        have a larger cap.
        """
        carried = submission_messages.of_submissions(connection, [planned.id], ())
        pieces = cuts.pieces(choice, planned, carried)
        if len(pieces) <= 1:
            return planned
        self.more = True
        if choice.probe:
            pieces = [pieces[0], [key for piece in pieces[1:] for key in piece]]
        first, *_ = batch_split.split(connection, planned, pieces, planned.attempts)
        outcomes.mark_not_sent(connection, [planned.id], SubmissionState.PLANNED)
        return replace(planned, id=first.id, fence=0, lo=first.lo, hi=first.hi, size=first.size)

    def _lease_request(self, connection: Connection, due_request: DueRequest) -> list[Lease]:
        """Lease the next messages of a request, in as many submissions as are permitted.

        [] when it has expired, or waits: then it is postponed.
        """
        if due_request.expired:
            requests.end_waiting_rest(connection, due_request.id, MessageState.EXPIRED)
            return []

        ranges: list[tuple[int, int]] = []

        def costs_at(choice: AccountChoice) -> list[Cost]:
            self.gatherer.dissolve_group()
            ranges[:] = cuts.ranges(connection, choice, due_request)
            if due_request.personal and choice.account.settings.segments_per_second:
                return personal_costs(connection, choice, due_request.id, ranges)
            return self._costs(connection, choice, due_request, [hi - lo for lo, hi in ranges])

        query = request_query(connection, self.selector, due_request)
        admission = admit(connection, self.selector, query, costs_at)
        if isinstance(admission, Wait):
            if admission.seconds:
                requests.postpone(connection, [due_request.id], admission.seconds)
            return []
        choice, receipts = admission
        if singles := self.gatherer.take_group():
            return self._lease_gathered(connection, choice, due_request, singles, receipts[0])
        # What was cut last was cut for the account that was chosen.
        permitted = ranges[: len(receipts)]
        return self._lease_ranges(connection, choice, due_request, permitted, receipts)

    def _lease_ranges(
        self,
        connection: Connection,
        choice: AccountChoice,
        due_request: DueRequest,
        ranges: Sequence[tuple[int, int]],
        receipts: Sequence[str],
    ) -> list[Lease]:
        """Lease the next ranges of a request, each by a receipt."""
        account, message_class = choice.account, self.selector.message_class
        _, next_n = ranges[-1]
        requests.advance(connection, due_request, next_n)
        self.more = self.more or next_n < due_request.total
        leases = new_submissions.insert_ranges(
            connection,
            [
                request_lease(choice, due_request, bounds, receipt, message_class)
                for bounds, receipt in zip(ranges, receipts, strict=True)
            ],
            segments=[contents.segment_count(account, choice.content)] * len(ranges),
            valid_until=[due_request.not_after] * len(ranges),
            seconds=self.selector.in_flight_seconds(account),
            owner=self.owner,
        )
        return self._notes.note(choice, leases)

    def _costs(
        self,
        connection: Connection,
        choice: AccountChoice,
        due_work: DueWork,
        ungathered: list[int],
    ) -> list[Cost]:
        """Return the costs of the submissions that would begin: none when it waits for others.

        `ungathered` are the sizes of those that would begin if it does not go with others.
        """
        sizes = None
        if not choice.probe:
            sizes = self.gatherer.sizes(connection, choice.account, choice.batch_cap, due_work)
        segments = contents.segment_count(choice.account, choice.content)
        return [Cost(size, size * segments) for size in (ungathered if sizes is None else sizes)]

    def _lease_gathered(
        self,
        connection: Connection,
        choice: AccountChoice,
        due_work: DueWork,
        singles: Sequence[WaitingSingle],
        receipt: str,
    ) -> list[Lease]:
        """Lease one submission for single messages that were gathered with `due_work`."""
        account, content = choice.account, due_work.content
        self.more = True
        lease = gather.lease_gathered(
            connection,
            singles,
            gathered_lease(account, singles, content, receipt, self.selector.message_class),
            segments=contents.segment_count(account, content),
            seconds=self.selector.in_flight_seconds(account),
            owner=self.owner,
        )
        return self._notes.note(choice, [lease])


def begin_claim(
    connection: Connection,
    settings: Settings,
    message_class: MessageClass,
    owner: str,
    throttle: Throttle | None = None,
    rests: Mapping[str, float] | None = None,
) -> Claim:
    """Return a claim that knows how all accounts stand now.

    `rests` are the accounts that gave its lane no permit, and for how many seconds more.
    """
    claim_permits, account_rows = permits.read_permits(
        connection, settings, message_class, throttle or Throttle(None), rests or {}
    )
    selector = AccountSelector(
        settings,
        message_class,
        claim_permits.free_slots(),
        accounts.held_names_in(account_rows, settings.logins),
        account_doubts.doubts_in(account_rows, settings.logins),
        frozenset(account_name for account_name, _ in claim_permits.under_way),
        datetime.now(UTC),
        claim_permits,
        healths=accounts.healths_in(account_rows),
    )
    return Claim(
        selector,
        owner,
        gather.gatherer_for(message_class, account_rows),
        planned_due=not account_rows or any(row.back for row in account_rows),
        stopped=(
            any(row.stopped for row in account_rows)
            if account_rows
            else stops.is_stopped(connection, message_class)
        ),
        rowless=sorted(settings.accounts.keys() - {row.account for row in account_rows}),
    )
