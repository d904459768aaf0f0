"""Claiming: what is due is leased, in one short transaction, to an account that can take it now."""

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from worker import routing, segments
from worker.gateway import Account, Content
from worker.settings import Settings
from worker.store import accounts, claims, outcomes, requests
from worker.store.accounts import Doubt
from worker.store.claims import Lease, Planned
from worker.store.requests import DueRequest
from worker.terms import MessageClass, MessageState, NumberKind, SubmissionState

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
        return taken

    def _again(self, connection: Connection, waiting: Planned) -> list[Lease]:
        place = self._choose(
            connection,
            waiting.named,
            waiting.content,
            waiting.kinds,
            single=waiting.size == 1,
            rather_not=waiting.account if waiting.resend_of else None,
        )
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
        return [lease] if lease else []

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
        place = self._choose(
            connection, fresh.account, fresh.content, fresh.kinds, single=fresh.total == 1
        )
        if isinstance(place, float):
            requests.postpone(connection, fresh.id, place)
            return []
        account = place.account
        ranges = self._ranges(place, fresh)
        requests.advance(connection, fresh, ranges[-1][1])
        return claims.open_range(
            connection,
            [self._lease(account, fresh, lo, hi) for lo, hi in ranges],
            segments=parts(account, fresh.content),
            seconds=self._patience(account),
            owner=self.owner,
        )

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
        ends = range(fresh.next_n, fresh.total, cap)[: self.room[name] + 1]
        ranges = [(lo, min(lo + cap, fresh.total)) for lo in ends]
        self.room[name] -= len(ranges) - 1
        return ranges

    def _closed(self) -> set[str]:
        """The accounts that take nothing now; what names one of them need not be looked at."""
        return {name for name, places in self.room.items() if places <= 0} | self.held

    def _choose(
        self,
        connection: Connection,
        named: str | None,
        content: Content,
        kinds: str,
        *,
        single: bool,
        rather_not: str | None = None,
    ) -> Place | float:
        """Take a place at an account, or say in how many seconds to ask again."""
        asked = routing.candidates(self.settings.accounts.values(), self.message_class, named)
        wanted = [NumberKind(kind) for kind in kinds.split(",") if kind]
        able = [one for one in asked if not routing.problems(one, content, wanted)]
        free = [one for one in able if one.name not in self.held]
        if self.message_class is MessageClass.MARKETING and free:
            waits = [routing.until_open(one, self.at) for one in free]
            free = [one for one, wait in zip(free, waits, strict=True) if wait <= 0]
            if not free:
                return min(waits)
        sure = [one for one in free if not self._doubted(one, single=single)]
        others = [one for one in sure if one.name != rather_not] or sure
        account = routing.choose(others, random.random, self._closed())
        if account is not None:
            self.room[account.name] -= 1
            return Place(account, account.batch_cap, probe=False)
        for one in free:
            if one not in sure and self._probe(connection, one):
                return Place(one, 1, probe=True)
        self.crowded = self.crowded or bool(sure)
        return CROWDED if sure else NO_ACCOUNT

    def _doubted(self, account: Account, *, single: bool) -> bool:
        """Whether a probe has to come first: at once for batches, after some doubts for singles."""
        doubt = self.doubts.get(account.name)
        return doubt is not None and (not single or doubt.of_singles or doubt.settling)

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


def parts(account: Account, content: Content) -> int:
    """Count the segments of a content as an account sends it."""
    return segments.count(account.gateway.body(content), account.settings.added_signature)


def _reference(account: Account) -> str:
    return uuid.uuid4().hex if account.gateway.capabilities.reference else ""
