"""Filling a campaign: good rows become its messages, some thousands in a transaction.

A number is stored once, however far apart it is repeated, and a loader that was cut off is gone on
with: what it stored is compared, and stays only if it is the same.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from worker.domain import msisdn as numbers
from worker.domain.enums import CampaignState, NumberKind
from worker.domain.errors import KeyConflict, Problem, TooLate
from worker.intake.number_set import NumberSet
from worker.store import campaign_rows, campaigns
from worker.store import opt_outs as opt_outs_store
from worker.store.campaign_rows import Batch, Variables
from worker.store.db.database import reading, writing


class _Turn:
    """A block's place in the order: it is numbered, and committed, after the one before."""

    def __init__(self, before: "_Turn | None") -> None:
        self._before = before
        self.numbered = threading.Event()
        self.over = threading.Event()
        self.failed = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Let the next one go on when this one is over; it fails when this one did."""
        try:
            yield
        except BaseException:
            self.failed = True
            raise
        finally:
            self._before = None
            self.numbered.set()
            self.over.set()

    @contextmanager
    def numbering(self) -> Iterator[None]:
        """Run the block when those before are numbered, and let the next be after it."""
        if self._before is not None:
            self._before.numbered.wait()
        yield
        self.numbered.set()

    def come(self) -> None:
        """Wait until all before this one is committed; raises when it never will be."""
        if self._before is not None:
            self._before.over.wait()
            if self._before.failed:
                msg = "the block before it was not stored"
                raise LookupError(msg)


class CampaignWriter:
    """Stores good rows: each number once, nobody who opted out, equal texts together.

    The database has the last blocks while the next one is read: each in one of `threads`, as many
    at once as these are. `there` messages are in the campaign already; `said` tells what a
    recipient reads.
    """

    def __init__(
        self,
        engine: Engine,
        campaign_id: int,
        there: int,
        threads: ThreadPoolExecutor,
        said: Callable[[Variables], str],
        *,
        opt_outs: bool,
    ) -> None:
        self._engine = engine
        self._id = campaign_id
        #: How many messages the campaign has, as far as it was filled.
        self.total = 0
        #: How many rows were left out whose number was there before, and who opted out.
        self.repeated = 0
        self.suppressed = 0
        self._said = said
        self._opt_outs = opt_outs
        #: How many messages the database has: of this call, or of one that was cut off.
        self._there = there
        #: Whether some of it may have been stored by a call that was cut off.
        self._going_on = there > 0
        self._threads = threads
        self._storing: deque[Future[None]] = deque()
        self._last: _Turn | None = None
        self._seen = NumberSet()
        self._kinds: set[str] = set()

    def take(self, block: Batch) -> None:
        """Store what is new."""
        repeated = self._seen.repeated(block.msisdns)
        if repeated:
            self.repeated += len(repeated)
            new = [True] * len(block.msisdns)
            for nth in repeated:
                new[nth] = False
            block = block.where(new)
        while len(self._storing) >= campaign_rows.at_once(self._engine.dialect.name):
            self._storing.popleft().result()
        self._last = _Turn(self._last)
        self._storing.append(self._threads.submit(self._store, block, self._last))

    def finish(self, fingerprint: str, *, invalid: int, personal: bool) -> None:
        """Store the rest; the campaign is whole, and ready."""
        while self._storing:
            self._storing.popleft().result()
        self._cut(self.total)
        left_out = {
            "invalid": invalid,
            "repeated": self.repeated,
            "suppressed": self.suppressed,
        }
        with writing(self._engine) as connection:
            self._begin(connection, self._there)
            campaign_rows.finish(
                connection,
                self._id,
                self._kinds,
                fingerprint=fingerprint,
                personal=personal,
            )
            campaigns.move(connection, self._id, CampaignState.READY, left_out=left_out)

    def _store(self, rows: Batch, turn: _Turn) -> None:
        with turn.taken():
            gone: set[str] = set()
            if self._opt_outs and rows.msisdns:
                with reading(self._engine) as connection:
                    gone = opt_outs_store.among(connection, rows.msisdns)
            if gone:
                rows = rows.where([msisdn not in gone for msisdn in rows.msisdns])
            with turn.numbering():
                first = self.total
                self.total = first + len(rows.msisdns)
                self.suppressed += len(gone)
                self._kinds |= _kinds(rows.msisdns)
            if rows.own is not None:
                rows = rows.ordered(self._said)
            size = campaign_rows.piece(self._engine.dialect.name)
            for at in range(0, len(rows.msisdns), size):
                self._put(first + at, rows.part(at, at + size), turn)
            # Also where nothing was left to store: whoever comes next asks this one only.
            turn.come()

    def _put(self, first: int, rows: Batch, turn: _Turn) -> None:
        """Store rows behind the last one, unless a loader that was cut off has done so."""
        total = first + len(rows.msisdns)
        if self._going_on:
            turn.come()
        if first < self._there:
            with reading(self._engine) as connection:
                found = campaign_rows.there(connection, self._id, first, total)
            same = len(found.msisdns)
            if found == rows.part(0, same):
                first, rows = first + same, rows.part(same, len(rows.msisdns))
            else:
                self._cut(first)
        if not rows.msisdns:
            return
        try:
            with writing(self._engine) as connection:
                campaign_rows.add(connection, self._id, first, rows)
                turn.come()
                self._begin(connection, first)
                campaign_rows.reach(connection, self._id, total)
        except IntegrityError:
            self._conflict()
        self._there = total

    def _cut(self, total: int) -> None:
        """Remove what another list of recipients left from number `total` on, from its end."""
        while self._there > total:
            until = max(total, self._there - campaign_rows.piece(self._engine.dialect.name))
            with writing(self._engine) as connection:
                self._begin(connection, self._there)
                campaign_rows.cut(connection, self._id, until)
            self._there = until

    def _begin(self, connection: Connection, there: int) -> None:
        if campaign_rows.begin(connection, self._id, there):
            return
        if campaigns.state_of(connection, self._id) == CampaignState.CANCELLED:
            msg = f"campaign {self._id} was cancelled while it was loaded"
            raise TooLate(msg)
        self._conflict()

    @staticmethod
    def _conflict() -> NoReturn:
        raise KeyConflict([Problem("key", "another call is loading this campaign now")])


def _kinds(msisdns: Sequence[str]) -> set[str]:
    if numbers.are_mobile(msisdns):
        return {NumberKind.MOBILE.value} if msisdns else set()
    return {str(numbers.kind(one)) for one in msisdns}
