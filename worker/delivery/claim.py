"""Claiming: what is due is put in flight, in one transaction, at an account that can take it."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery import gather, permits
from worker.delivery.account_choice import AccountChoice, AccountSelector
from worker.delivery.gather import Gathering
from worker.delivery.throttle import Throttle
from worker.domain import carriers, segments
from worker.domain.enums import (
    Carrier,
    MessageClass,
    MessageState,
    NumberKind,
    SubmissionState,
)
from worker.gateways.base import Account, Content
from worker.policy import routing
from worker.policy.gcra import Cost
from worker.policy.routing import RoutingQuery
from worker.store import (
    accounts,
    batch_split,
    claims,
    events,
    outcomes,
    requests,
    submission_messages,
)
from worker.store.claims import Lease, PlannedSubmission
from worker.store.gather import Single
from worker.store.requests import DueRequest

#: Due rows looked at in one claim.
MAX_CLAIMED_ROWS = 64


@dataclass
class ClaimBatch(AccountSelector):
    """One look for due work of a class, within one transaction."""

    #: Whether more may be due than it has looked at.
    more: bool = False
    #: Whether a planned submission's time may have come.
    back: bool = True
    #: Accounts that have no row yet: what is seen of the others is all that there is of them.
    rowless: Sequence[str] = ()
    #: Singles that wait for each other; nothing is gathered unless it is given.
    gathering: Gathering | None = None
    #: Where there was a choice: the submission, its account, and why.
    _routed: list[tuple[int, str, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def _gathered(self) -> Gathering:
        if self.gathering is None:
            self.gathering = Gathering(self.message_class)
        return self.gathering

    def take(self, connection: Connection) -> list[Lease]:
        """Lease what is due and has room: first what came back, then what is fresh."""
        taken: list[Lease] = []
        for name in self.rowless:
            accounts.ensure(connection, name)
        most = min(MAX_CLAIMED_ROWS, sum(places for places in self.room.values() if places > 0))
        if most <= 0:
            return taken
        back = claims.planned(connection, self.message_class, most) if self.back else []
        for waiting in back:
            if not self._gathered.dealt_with(waiting):
                taken += self._again(connection, waiting)
        due = requests.due(connection, self.message_class, most, self._closed())
        self.more = self.more or len(back) >= most or len(due) >= most
        for together, some in groupby(due, self._may_go_with_others):
            if together:
                taken += self._all_fresh(connection, list(some))
                continue
            for fresh in some:
                if not self._gathered.dealt_with(fresh):
                    taken += self._fresh(connection, fresh)
        events.add_each(connection, "submission.routed", self.owner, self._routed)
        return taken

    def _again(self, connection: Connection, waiting: PlannedSubmission) -> list[Lease]:
        admitted = self._admit(
            connection,
            self._asked_again(connection, waiting),
            lambda place: self._sizes(connection, place, waiting, [min(waiting.size, place.cap)]),
        )
        if isinstance(admitted, float):
            if admitted:
                claims.postpone(connection, waiting.id, admitted)
            return []
        place, (permit, *_) = admitted
        if together := self._gathered.together():
            return self._together(connection, place, waiting, together, permit)
        if place.cap < waiting.size:
            waiting = self._cut(connection, waiting, place)
        lease = claims.lease(
            connection,
            waiting,
            place.account.name,
            parts(place.account, waiting.content),
            _reference(place.account),
            seconds=self._patience(place.account),
            owner=self.owner,
        )
        if lease is None:
            return []
        return self._noted(place, [replace(lease, permit=permit)])

    def _cut(
        self, connection: Connection, waiting: PlannedSubmission, place: AccountChoice
    ) -> PlannedSubmission:
        """Plan a submission again in pieces that its account can take, and return the first."""
        carried = batch_split.carried(connection, waiting.id)
        if len(carried) <= place.cap:
            return waiting
        self.more = True
        step = len(carried) if place.probe else place.cap
        pieces = [carried[: place.cap]]
        pieces += [carried[at : at + step] for at in range(place.cap, len(carried), step)]
        first, *_ = batch_split.part(connection, waiting, pieces, waiting.attempts)
        outcomes.close(connection, [waiting.id], SubmissionState.PLANNED)
        return replace(waiting, id=first.id, fence=0, lo=first.lo, hi=first.hi, size=first.size)

    def _fresh(self, connection: Connection, fresh: DueRequest) -> list[Lease]:
        if fresh.expired:
            requests.end_rest(connection, fresh.id, MessageState.EXPIRED)
            return []
        admitted = self._admit(
            connection,
            self._asked(connection, fresh),
            lambda place: self._sizes(
                connection, place, fresh, [hi - lo for lo, hi in _ranges(connection, place, fresh)]
            ),
        )
        if isinstance(admitted, float):
            if admitted:
                requests.postpone(connection, [fresh.id], admitted)
            return []
        place, granted = admitted
        if together := self._gathered.together():
            return self._together(connection, place, fresh, together, granted[0])
        account = place.account
        ranges = _ranges(connection, place, fresh)[: len(granted)]
        requests.advance(connection, fresh, ranges[-1][1])
        self.more = self.more or ranges[-1][1] < fresh.total
        opened = claims.open_range(
            connection,
            [
                self._lease(account, fresh, lo, hi, permit)
                for (lo, hi), permit in zip(ranges, granted, strict=True)
            ],
            segments=[parts(account, fresh.content)] * len(ranges),
            until=[fresh.not_after] * len(ranges),
            seconds=self._patience(account),
            owner=self.owner,
        )
        return self._noted(place, opened)

    def _may_go_with_others(self, fresh: DueRequest) -> bool:
        """Whether it is one message that neither finds something out nor waits for its like."""
        return fresh.last and not self.doubts and not self._gathered.accounts

    def _all_fresh(self, connection: Connection, some: Sequence[DueRequest]) -> list[Lease]:
        """Lease requests of one message each, by as many statements as there are accounts."""
        self._permits.prepare(connection)
        chosen: dict[str, list[tuple[AccountChoice, DueRequest]]] = defaultdict(list)
        waits: dict[float, list[int]] = defaultdict(list)
        for fresh in some:
            place = self._choose(connection, self._asked(connection, fresh))
            if isinstance(place, float):
                waits[place].append(fresh.id)
            else:
                chosen[place.account.name].append((place, fresh))
        for seconds, ids in waits.items():
            if seconds:
                requests.postpone(connection, ids, seconds)
        taken, left = [], []
        for picked in chosen.values():
            opened = self._open_all(connection, picked)
            taken += opened
            left += [fresh for _, fresh in picked[len(opened) :]]
        # Their accounts have no place left: another may have one, or they wait.
        return taken + (self._all_fresh(connection, left) if left else [])

    def _open_all(
        self, connection: Connection, picked: Sequence[tuple[AccountChoice, DueRequest]]
    ) -> list[Lease]:
        """Lease the first so many that an account permits."""
        account = picked[0][0].account
        each = [parts(account, fresh.content) for _, fresh in picked]
        costs = [Cost(1, one) for one in each]
        granted = self._permits.ask(connection, account, costs, self._patience(account))
        if len(granted) < len(costs):
            self.room[account.name] = 0
        if not granted:
            return []
        begun = [fresh for _, fresh in picked[: len(granted)]]
        opened = claims.open_singles(
            connection,
            [
                self._lease(account, fresh, fresh.next_n, fresh.total, permit)
                for fresh, permit in zip(begun, granted, strict=True)
            ],
            segments=each[: len(granted)],
            until=[fresh.not_after for fresh in begun],
            seconds=self._patience(account),
            owner=self.owner,
        )
        for (place, _), lease in zip(picked, opened, strict=False):
            self._noted(place, [lease])
        return opened

    def _sizes(
        self,
        connection: Connection,
        place: AccountChoice,
        one: DueRequest | PlannedSubmission,
        alone: list[int],
    ) -> list[int]:
        """Return the sizes of the submissions that would begin: none when it waits for others."""
        if place.probe:
            self._gathered.leave()
            return alone
        together = self._gathered.sizes(connection, place.account, place.cap, one)
        return alone if together is None else together

    def _together(
        self,
        connection: Connection,
        place: AccountChoice,
        first: DueRequest | PlannedSubmission,
        singles: Sequence[Single],
        permit: str,
    ) -> list[Lease]:
        """Lease one submission for single messages that were gathered."""
        account = place.account
        self.more = True
        lease = Lease(
            id=0,
            fence=1,
            account=account.name,
            message_class=self.message_class,
            request_id=singles[0].request_id,
            lo=None,
            hi=None,
            size=len(singles),
            attempts=max(one.attempts for one in singles) + 1,
            content=first.content,
            reference=_reference(account),
            permit=permit,
        )
        made = gather.put_together(
            connection,
            singles,
            lease,
            segments=parts(account, first.content),
            seconds=self._patience(account),
            owner=self.owner,
        )
        opened = [replace(lease, id=made)]
        return self._noted(place, opened)

    def _lease(self, account: Account, fresh: DueRequest, lo: int, hi: int, permit: str) -> Lease:
        return Lease(
            id=0,
            fence=1,
            account=account.name,
            message_class=self.message_class,
            request_id=fresh.id,
            lo=lo,
            hi=hi,
            size=hi - lo,
            attempts=1,
            content=fresh.content,
            reference=_reference(account),
            permit=permit,
            fresh=True,
            personal=fresh.personal,
        )

    def _admit(
        self,
        connection: Connection,
        asked: RoutingQuery,
        sizes: Callable[[AccountChoice], list[int]],
    ) -> tuple[AccountChoice, list[str]] | float:
        """Choose an account that permits to begin: the receipts of the first so many submissions.

        Else the seconds until to ask again; 0.0 when that need not be written down.
        """
        self._permits.prepare(connection)
        while True:
            place = self._choose(connection, asked)
            if isinstance(place, float):
                return place
            account, wanted = place.account, sizes(place)
            if not wanted:
                self.room[account.name] += 1
                return 0.0
            each = parts(account, asked.content)
            costs = [Cost(size, size * each) for size in wanted]
            granted = self._permits.ask(connection, account, costs, self._patience(account))
            if len(granted) < len(costs):
                self.room[account.name] = 0
            else:
                self.room[account.name] -= len(granted) - 1
            if granted:
                return place, granted
            if place.probe:
                self._give_probe(connection, account)

    def _closed(self) -> set[str]:
        """The accounts that take nothing now; what names one of them need not be looked at."""
        return {name for name, places in self.room.items() if places <= 0} | self.held

    def _asked(self, connection: Connection, fresh: DueRequest) -> RoutingQuery:
        single = fresh.total == 1
        return RoutingQuery(
            self.message_class,
            fresh.content,
            _kinds(fresh.kinds),
            self.at,
            fresh.account,
            single=single,
            carrier=self._carrier(connection, fresh.id, fresh.next_n) if single else None,
        )

    def _asked_again(self, connection: Connection, waiting: PlannedSubmission) -> RoutingQuery:
        single = waiting.size == 1
        known = single and waiting.lo is not None
        return RoutingQuery(
            self.message_class,
            waiting.content,
            _kinds(waiting.kinds),
            self.at,
            waiting.named,
            single=single,
            carrier=self._carrier(connection, waiting.request_id, waiting.lo) if known else None,
            rather_not=waiting.account if waiting.resend_of else None,
        )

    def _carrier(self, connection: Connection, request_id: int, n: int | None) -> Carrier | None:
        """Tell the carrier of a single message, if any account does worse at one."""
        if n is None or not any(one.carriers for one in self.healths.values()):
            return None
        msisdn = submission_messages.number(connection, request_id, n)
        return carriers.carrier(msisdn) if msisdn else None

    def _noted(self, place: AccountChoice, leases: Sequence[Lease]) -> list[Lease]:
        """Keep why an account was chosen, where it was a choice; and which leases are probes."""
        why = routing.trace(place.options)
        if why is not None:
            why |= {"probe": True} if place.probe else {}
            self._routed += [(one.id, place.account.name, why) for one in leases]
        return [replace(one, probe=True) for one in leases] if place.probe else [*leases]


def look(
    connection: Connection,
    settings: Settings,
    message_class: MessageClass,
    owner: str,
    throttle: Throttle | None = None,
    resting: Mapping[str, float] | None = None,
) -> ClaimBatch:
    """Return a claim that knows how all accounts stand now; some may rest, for so many seconds."""
    asking, seen = permits.look(
        connection, settings, message_class, throttle or Throttle(None), resting or {}
    )
    return ClaimBatch(
        settings,
        message_class,
        owner,
        asking.room(),
        accounts.held_of(seen, settings.logins),
        accounts.doubtful_of(seen, settings.logins),
        frozenset(name for name, _ in asking.under_way),
        datetime.now(UTC),
        healths=accounts.healths_of(seen),
        permits=asking,
        gathering=gather.look(message_class, seen),
        back=not seen or any(row.back for row in seen),
        rowless=sorted(settings.accounts.keys() - {row.account for row in seen}),
    )


def _ranges(
    connection: Connection, place: AccountChoice, fresh: DueRequest
) -> list[tuple[int, int]]:
    """Cut what is left of a request by the batch cap, into as many as there is room for.

    Where messages have values of their own, also where these change.
    """
    cap, most = place.cap, place.more + 1
    if fresh.personal and cap > 1:
        return submission_messages.alike(
            connection, fresh.id, (fresh.next_n, fresh.total), cap, most
        )
    return [(lo, min(lo + cap, fresh.total)) for lo in range(fresh.next_n, fresh.total, cap)[:most]]


def _kinds(stored: str) -> list[NumberKind]:
    return [NumberKind(kind) for kind in stored.split(",") if kind]


def parts(account: Account, content: Content) -> int:
    """Count the segments of a content as an account sends it."""
    return segments.count(account.gateway.body(content), account.settings.added_signature)


def _reference(account: Account) -> str:
    return uuid.uuid4().hex if account.gateway.capabilities.reference else ""
