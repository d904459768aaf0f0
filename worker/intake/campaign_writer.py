"""Write good rows as messages of a campaign, some thousands in a transaction.

A number is stored once, however far apart it is repeated. Where an earlier loader of the same
campaign was cut off, what it stored is compared, and stays only if it is the same.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from worker.domain.enums import CampaignState, LeftOutReason, NumberKind, OptOutScope
from worker.domain.errors import KeyConflict, Problem, TooLate
from worker.intake import left_out
from worker.intake.checked_block import CheckedBlock
from worker.intake.number_set import NumberSet
from worker.intake.text_tally import TextTally
from worker.store.db.database import reading, writing
from worker.store.intake import campaign_rows, campaigns, left_out_rows
from worker.store.intake.campaign_rows import MessageColumns
from worker.store.intake.new_requests import StoredRequest


class _BlockPosition:
    """The position of a block in the order of the blocks, each of which has a thread.

    A block is numbered, and committed, only after the one before it.
    """

    def __init__(self, previous: "_BlockPosition | None") -> None:
        self._previous = previous
        self.numbered = threading.Event()
        self.ended = threading.Event()
        self.failed = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the whole block; let the next one go on when it has ended, or fail when it failed."""
        try:
            yield
        except BaseException:
            self.failed = True
            raise
        finally:
            self._previous = None
            self.numbered.set()
            self.ended.set()

    @contextmanager
    def numbering(self) -> Iterator[None]:
        """Number the messages of the block once all blocks before are; then let the next do so."""
        if self._previous is not None:
            self._previous.numbered.wait()
        yield
        self.numbered.set()

    def wait_for_previous(self) -> None:
        """Wait until all blocks before are committed; raises when they never will be."""
        if self._previous is not None:
            self._previous.ended.wait()
            if self._previous.failed:
                msg = "the block before it was not stored"
                raise LookupError(msg)


class CampaignWriter:
    """Stores good rows: each number once, none that has opted out, equal texts together.

    The database stores the last blocks while the next one is read: each in one of `threads`, at
    most as many at once as there are of these. `stored` is the campaign's request; where that
    existed, an earlier loader was cut off. `texts_of` returns what recipients read
    whose texts differ; `tally` counts that.
    """

    def __init__(
        self,
        engine: Engine,
        stored: StoredRequest,
        threads: ThreadPoolExecutor,
        texts_of: Callable[[MessageColumns], Sequence[str] | None],
        tally: TextTally,
        *,
        opt_out_scopes: Collection[OptOutScope],
    ) -> None:
        self._engine = engine
        self._campaign_id = stored.id
        #: How many messages the campaign has, as far as its blocks are numbered.
        self.total = 0
        #: How many rows were left out because their number came before, or has opted out.
        self.repeated = 0
        self.suppressed = 0
        self._texts_of, self._tally = texts_of, tally
        self._opt_out_scopes = opt_out_scopes
        #: How many messages the database has: of this call, or of one that was cut off.
        self._stored_total = stored.total
        #: Whether a call that was cut off may have stored some rows.
        self._resuming = stored.existed
        #: How many rows the blocks have that were added.
        self._row_count = 0
        self._threads = threads
        self._running_blocks: deque[Future[None]] = deque()
        self._last_position: _BlockPosition | None = None
        self._numbers = NumberSet()
        self._kinds: set[NumberKind] = set()

    def add_block(self, block: CheckedBlock) -> None:
        """Begin to store the numbers of a block that are new; waits while enough are stored."""
        repeated = self._numbers.add(block.good.msisdns)
        self.repeated += len(repeated)
        block = block.leave_out(repeated, LeftOutReason.REPEATED)
        self._row_count = block.first_row + block.row_count
        max_blocks = campaign_rows.transactions_at_once(self._engine)
        while len(self._running_blocks) >= max_blocks:
            self._running_blocks.popleft().result()
        self._last_position = _BlockPosition(self._last_position)
        self._running_blocks.append(self._threads.submit(self._store, block, self._last_position))

    def finish(self, fingerprint: str, *, invalid: int, personal: bool) -> None:
        """Wait until all blocks are stored, and make the campaign `ready`."""
        while self._running_blocks:
            self._running_blocks.popleft().result()
        self._truncate(self.total)
        self._truncate_left_out()
        left_out_counts = {
            LeftOutReason.INVALID.value: invalid,
            LeftOutReason.REPEATED.value: self.repeated,
            LeftOutReason.SUPPRESSED.value: self.suppressed,
        }
        with writing(self._engine) as connection:
            self._lock(connection, self._stored_total)
            campaign_rows.finish_loading(
                connection,
                self._campaign_id,
                self._kinds,
                fingerprint=fingerprint,
                personal=personal,
            )
            campaigns.move(
                connection,
                self._campaign_id,
                CampaignState.READY,
                left_out=left_out_counts,
                preview=self._tally.as_json(),
            )

    def _store(self, block: CheckedBlock, position: _BlockPosition) -> None:
        """Number the messages of a block and store them, part by part; then what was left out."""
        with position.running():
            suppressed = left_out.opted_out_positions(
                self._engine, block.good.msisdns, self._opt_out_scopes
            )
            block = block.leave_out(suppressed, LeftOutReason.SUPPRESSED)
            messages = block.good
            texts = self._texts_of(messages)
            with position.numbering():
                first_n = self.total
                self.total = first_n + len(messages.msisdns)
                self.suppressed += len(suppressed)
                self._kinds |= block.kinds()
                self._tally.add(block, texts)
            if texts is not None:
                messages = messages.grouped_by_text(texts)
            size = campaign_rows.transaction_size(self._engine)
            for start in range(0, len(messages.msisdns), size):
                self._store_part(first_n + start, messages.slice(start, start + size), position)
            # Also where nothing was left to store: the next block waits for this one alone.
            position.wait_for_previous()
            self._store_left_out(block, size)

    def _store_left_out(self, block: CheckedBlock, size: int) -> None:
        """Store the rows left out of a block in the place of those that a cut-off loader stored."""
        rows = block.left_out_in_order()
        lo, end = block.first_row, block.first_row + block.row_count
        while rows or (self._resuming and lo < end):
            part, rows = rows[:size], rows[size:]
            hi = lo + len(part) if rows else end
            with writing(self._engine) as connection:
                self._lock(connection, self._stored_total)
                left_out_rows.replace(connection, self._campaign_id, lo, hi, part)
            lo = hi

    def _truncate_left_out(self) -> None:
        """Remove rows left out of a longer list, which a cut-off loader stored; the last first."""
        if not self._resuming:
            return
        with reading(self._engine) as connection:
            last_n = left_out_rows.last_n(connection, self._campaign_id)
        size = campaign_rows.transaction_size(self._engine)
        hi = last_n + 1
        while hi > self._row_count:
            lo = max(self._row_count, hi - size)
            with writing(self._engine) as connection:
                self._lock(connection, self._stored_total)
                left_out_rows.replace(connection, self._campaign_id, lo, hi, ())
            hi = lo

    def _store_part(self, first_n: int, part: MessageColumns, position: _BlockPosition) -> None:
        """Store messages behind the last ones, save those that a cut-off loader has stored."""
        total = first_n + len(part.msisdns)
        if self._resuming:
            position.wait_for_previous()
        if first_n < self._stored_total:
            reused = self._reuse_stored(first_n, part)
            if reused:
                first_n, part = first_n + reused, part.slice(reused, len(part.msisdns))
        if not part.msisdns:
            return
        try:
            with writing(self._engine) as connection:
                campaign_rows.add(connection, self._campaign_id, first_n, part)
                position.wait_for_previous()
                self._lock(connection, first_n)
                campaign_rows.set_total(connection, self._campaign_id, total)
        except IntegrityError:
            self._raise_conflict()
        self._stored_total = total

    def _reuse_stored(self, first_n: int, part: MessageColumns) -> int:
        """Return how many messages of a part, from its beginning, a cut-off loader has stored.

        Where it stored others in their place, these are removed with all behind them.
        """
        with reading(self._engine) as connection:
            stored = campaign_rows.stored_messages(
                connection, self._campaign_id, first_n, first_n + len(part.msisdns)
            )
        count = len(stored.msisdns)
        if stored == part.slice(0, count):
            return count
        self._truncate(first_n)
        return 0

    def _truncate(self, total: int) -> None:
        """Remove the stored messages from number `total` on, the last ones first."""
        size = campaign_rows.transaction_size(self._engine)
        while self._stored_total > total:
            remaining = max(total, self._stored_total - size)
            with writing(self._engine) as connection:
                self._lock(connection, self._stored_total)
                campaign_rows.truncate(connection, self._campaign_id, remaining)
            self._stored_total = remaining

    def _lock(self, connection: Connection, total: int) -> None:
        """Lock the campaign, which has to be loading still and to have `total` messages."""
        if campaign_rows.lock_loading(connection, self._campaign_id, total):
            return
        if campaigns.state_of(connection, self._campaign_id) == CampaignState.CANCELLED:
            msg = f"campaign {self._campaign_id} was cancelled while it was loaded"
            raise TooLate(msg)
        self._raise_conflict()

    @staticmethod
    def _raise_conflict() -> NoReturn:
        raise KeyConflict([Problem("key", "another call is loading this campaign now")])
