"""Claiming: what is due is leased, in one short transaction, to an account that can take it now."""

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from worker import carriers, routing, segments
from worker.gateway import Account, Content
from worker.health import WELL, Health
from worker.routing import Asked, Option, Out, Standing
from worker.settings import Settings
from worker.store import accounts, claims, events, outcomes, requests
from worker.store.accounts import Doubt
from worker.store.claims import Lease, Planned
from worker.store.requests import DueRequest
from worker.terms import Carrier, MessageClass, MessageState, NumberKind, SubmissionState

#: How long what is due waits when no account can take it now, and when all places are taken.
NO_ACCOUNT = 2.0
CROWDED = 0.1
#: Due rows looked at in one claim.
MOST_ROWS = 64


@dataclass(frozen=True, slots=True)
class Place:
    """An account with a free place, and how many messages the submission there may carry."""

    account: Account
    cap: int
    probe: bool
    #: What it was chosen from.
    options: Sequence[Option] = ()
    #: How many more submissions may begin there now.
    more: int = 0


@dataclass
class Claim:
    """One look for due work of a class, within one transaction."""

    settings: Settings
    message_class: MessageClass
    owner: str
    #: Free places by account: how many submissions may still begin.
    room: dict[str, int]
    held: frozenset[str]
    doubts: Mapping[str, Doubt]
    #: The accounts with something under way.
    busy: frozenset[str]
    at: datetime
    #: True when something waits for a free place only: look again soon.
    crowded: bool = False
    #: Accounts that are to get less than all of their traffic.
    healths: Mapping[str, Health] = field(default_factory=dict)
    #: Where there was a choice: the submission, its account, and why.
    _routed: list[tuple[int, str, Mapping[str, Any]]] = field(default_factory=list)

    def take(self, connection: Connection) -> list[Lease]:
        """Lease what is due and has room: first what came back, then what is fresh."""
        taken: list[Lease] = []
        most = min(MOST_ROWS, sum(places for places in self.room.values() if places > 0))
        if most <= 0:
            return taken
        for waiting in claims.planned(connection, self.message_class, most):
            taken += self._again(connection, waiting)
        for fresh in requests.due(connection, self.message_class, most, self._closed()):
            taken += self._fresh(connection, fresh)
        events.add_each(connection, "submission.routed", self.owner, self._routed)
        return taken

    def _again(self, connection: Connection, waiting: Planned) -> list[Lease]:
        place = self._choose(connection, self._asked_again(connection, waiting))
        if isinstance(place, float):
            claims.postpone(connection, waiting.id, place)
            return []
        if place.cap < waiting.size:
            if waiting.lo is None or waiting.hi is None:
                # Its messages are named one by one: only an account with room for all can take it.
                claims.postpone(connection, waiting.id, NO_ACCOUNT)
                return []
            waiting = self._cut(connection, waiting, waiting.lo, waiting.hi, place)
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
        self._note(place, [lease])
        return [lease]

    def _cut(
        self, connection: Connection, waiting: Planned, lo: int, hi: int, place: Place
    ) -> Planned:
        """Plan a range again in pieces that its account can take, and return the first."""
        self.crowded = True
        step = hi if place.probe else place.cap
        bounds = [(lo, lo + place.cap)]
        bounds += [(at, min(at + step, hi)) for at in range(lo + place.cap, hi, step)]
        made = [
            outcomes.succeed(connection, waiting, piece, wait=0.0, tries=waiting.attempts)
            for piece in bounds
        ]
        outcomes.close(connection, [waiting.id], SubmissionState.PLANNED)
        first, end = bounds[0]
        return replace(waiting, id=made[0], fence=0, lo=first, hi=end, size=end - first)

    def _fresh(self, connection: Connection, fresh: DueRequest) -> list[Lease]:
        if fresh.expired:
            requests.end_rest(connection, fresh.id, MessageState.EXPIRED)
            return []
        place = self._choose(connection, self._asked(connection, fresh))
        if isinstance(place, float):
            requests.postpone(connection, fresh.id, place)
            return []
        account = place.account
        ranges = self._ranges(place, fresh)
        requests.advance(connection, fresh, ranges[-1][1])
        opened = claims.open_range(
            connection,
            [self._lease(account, fresh, lo, hi) for lo, hi in ranges],
            segments=parts(account, fresh.content),
            seconds=self._patience(account),
            owner=self.owner,
        )
        self._note(place, opened)
        return opened

    def _lease(self, account: Account, fresh: DueRequest, lo: int, hi: int) -> Lease:
        return Lease(
            id=0,
            fence=1,
            account=account.name,
            message_class=self.message_class,
            request_id=fresh.id,
            lo=lo,
            hi=hi,
            size=hi - lo,
            attempts=0,
            content=fresh.content,
            reference=_reference(account),
        )

    def _ranges(self, place: Place, fresh: DueRequest) -> list[tuple[int, int]]:
        """Cut what is left of a request by the batch cap, into as many as there is room for."""
        cap = 1 if fresh.personal else place.cap
        name = place.account.name
        ends = range(fresh.next_n, fresh.total, cap)[: place.more + 1]
        ranges = [(lo, min(lo + cap, fresh.total)) for lo in ends]
        self.room[name] -= len(ranges) - 1
        return ranges

    def _closed(self) -> set[str]:
        """The accounts that take nothing now; what names one of them need not be looked at."""
        return {name for name, places in self.room.items() if places <= 0} | self.held

    def _asked(self, connection: Connection, fresh: DueRequest) -> Asked:
        single = fresh.total == 1
        return Asked(
            self.message_class,
            fresh.content,
            _kinds(fresh.kinds),
            self.at,
            fresh.account,
            single=single,
            carrier=self._carrier(connection, fresh.id, fresh.next_n) if single else None,
        )

    def _asked_again(self, connection: Connection, waiting: Planned) -> Asked:
        single = waiting.size == 1
        known = single and waiting.lo is not None
        return Asked(
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
        msisdn = claims.number(connection, request_id, n)
        return carriers.carrier(msisdn) if msisdn else None

    def options(self, asked: Asked) -> list[Option]:
        """Say of each account whether it may be asked now, and with what chance it is chosen."""
        return routing.explain(self.settings.accounts.values(), asked, self._stands)

    def _stands(self, name: str) -> Standing:
        doubt = self.doubts.get(name)
        return Standing(
            held=name in self.held,
            no_batches=doubt is not None,
            no_singles=doubt is not None and (doubt.of_singles or doubt.settling),
            health=self.healths.get(name, WELL),
            free=self.room[name],
            places=self.settings.accounts[name].settings.concurrency,
        )

    def _choose(self, connection: Connection, asked: Asked) -> Place | float:
        """Take a place at an account, or say in how many seconds to ask again."""
        options = self.options(asked)
        chosen = routing.pick(options, random.random)
        if chosen is not None:
            account = chosen.account
            self.room[account.name] -= 1
            return Place(
                account,
                account.batch_cap,
                probe=False,
                options=options,
                more=chosen.places - 1,
            )
        for one in options:
            if one.out is Out.DOUBT and self._probe(connection, one.account):
                return Place(one.account, 1, probe=True, options=options)
        out = {one.out for one in options}
        self.crowded = self.crowded or Out.FULL in out
        if Out.FULL in out:
            return CROWDED
        if Out.DOUBT not in out and Out.HOURS in out:
            return min(one.wait for one in options if one.out is Out.HOURS)
        return NO_ACCOUNT

    def _note(self, place: Place, leases: Sequence[Lease]) -> None:
        """Keep why an account was chosen, where it was a choice."""
        why = routing.trace(place.options)
        if why is not None:
            self._routed += [(one.id, place.account.name, why) for one in leases]

    def _probe(self, connection: Connection, account: Account) -> bool:
        """Take the right to ask a doubtful account by one smallest submission, alone."""
        name = account.name
        doubt = self.doubts[name]
        if doubt.settling or not doubt.probe_due or name in self.busy or self.room[name] <= 0:
            return False
        self.room[name] = 0
        return accounts.take_probe(connection, name, self._patience(account))

    def _patience(self, account: Account) -> float:
        return self.settings.top.lease + account.settings.timeout


def look(
    connection: Connection, settings: Settings, message_class: MessageClass, owner: str
) -> Claim:
    """Return a claim that knows how all accounts stand now."""
    # In this order: a place that was just freed by a failure comes with its doubt.
    under_way = claims.under_way(connection)
    return Claim(
        settings,
        message_class,
        owner,
        {
            name: account.settings.concurrency - under_way.get(name, 0)
            for name, account in settings.accounts.items()
        },
        accounts.held(connection),
        accounts.doubtful(connection),
        frozenset(under_way),
        datetime.now(UTC),
        healths=accounts.healths(connection),
    )


def _kinds(stored: str) -> list[NumberKind]:
    return [NumberKind(kind) for kind in stored.split(",") if kind]


def parts(account: Account, content: Content) -> int:
    """Count the segments of a content as an account sends it."""
    return segments.count(account.gateway.body(content), account.settings.added_signature)


def _reference(account: Account) -> str:
    return uuid.uuid4().hex if account.gateway.capabilities.reference else ""
