"""Campaigns: loaded as a whole before anything is sent, then run, paused, resumed, cancelled."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NoReturn

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import CampaignState, MessageState, SubmissionState
from worker.domain.errors import NotFound, TooLate, ValidityOver
from worker.domain.transitions import FAILED
from worker.intake import campaign_loader
from worker.intake.campaign_loader import Loaded, Plain, Row
from worker.intake.enqueue import EnqueueRequest
from worker.intake.number_set import NumberSet
from worker.store import (
    campaign_rows,
    campaigns,
    messages,
    outcomes,
    requests,
    unknown,
)
from worker.store.campaigns import CampaignProgress
from worker.store.db.clock import now
from worker.store.db.database import reading, writing

#: Waiting submissions that are cancelled in one transaction; on SQLite everybody waits for it.
AT_ONCE, AT_ONCE_ON_SQLITE = 1000, 100
#: Messages of a campaign that are looked at together, to find those that failed.
LOOKED_AT = 20_000
#: What of these is kept in memory, in bytes; more goes to a temporary file without a name.
IN_MEMORY = 8 * 1024 * 1024


def create(
    engine: Engine,
    settings: Settings,
    name: str,
    order: EnqueueRequest,
    rows: Iterable[Row | Plain],
    *,
    start: bool = True,
    skip_bad: bool = False,
    retry_of: int | None = None,
    watch: Callable[[int], None] = lambda _rows: None,
) -> Loaded:
    """Load a campaign's recipients and start it.

    `order` says everything but the recipients. Left out are a number that was there before, and
    where the class heeds opt-outs who does not want any more. With a bad row nothing is sent and
    the campaign stays `ready`, unless `skip_bad`. `watch` is told the number of rows read so far.
    With a key that was used for the same campaign, that campaign is returned, or gone on with where
    its loader was cut off. Raises `Refused` when the order itself is at fault, `KeyConflict` when
    the key stands for something else or another call is loading the campaign just now, and
    `TooLate` when it is cancelled meanwhile.
    """
    loaded, waits = campaign_loader.load(
        engine, settings, name, order, rows, retry_of=retry_of, watch=watch
    )
    if waits and _goes(loaded, start=start, skip_bad=skip_bad):
        run(engine, loaded.id)
    return loaded


def _goes(loaded: Loaded, *, start: bool, skip_bad: bool) -> bool:
    return bool(start and loaded.total and (skip_bad or not loaded.invalid))


def run(engine: Engine, campaign_id: int, until: datetime | None = None) -> CampaignProgress:
    """Start a campaign that is ready, or resume one that is paused.

    Raises `ValidityOver` when its validity is over and `until` gives no new one, and `TooLate` when
    it has ended.
    """
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        if until is not None:
            requests.extend(connection, campaign_id, until)
        elif requests.validity_over(connection, campaign_id):
            msg = f"campaign {campaign_id} is past its validity; say until when it may be sent"
            raise ValidityOver(msg)
        if not campaigns.move(connection, campaign_id, CampaignState.RUNNING, started_at=now()):
            _refuse(campaigns.state_of(connection, campaign_id), campaign_id, CampaignState.RUNNING)
        campaigns.release(connection, campaign_id)
    return show(engine, campaign_id)


def pause(engine: Engine, campaign_id: int) -> CampaignProgress:
    """Hand out no more of a campaign until it is resumed; what is under way finishes."""
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        if not campaigns.move(connection, campaign_id, CampaignState.PAUSED):
            _refuse(campaigns.state_of(connection, campaign_id), campaign_id, CampaignState.PAUSED)
        campaigns.stop(connection, campaign_id)
    return show(engine, campaign_id)


def cancel(engine: Engine, campaign_id: int) -> CampaignProgress:
    """End a campaign: what was not handed over yet is `cancelled`, for good.

    Nothing of it is handed out any more from its first moment on. What had come back and waits is
    ended some at a time, so that nobody waits for that; a sweep ends the rest if this call dies.
    """
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        if not campaigns.move(connection, campaign_id, CampaignState.CANCELLED):
            state = campaigns.state_of(connection, campaign_id)
            _refuse(state, campaign_id, CampaignState.CANCELLED)
        requests.end_rest(connection, campaign_id, MessageState.CANCELLED)
    _end_waiting(engine, campaign_id)
    return show(engine, campaign_id)


def end_cancelled(engine: Engine) -> None:
    """End what waits of campaigns whose cancelling broke off."""
    with reading(engine) as connection:
        found = campaigns.being_cancelled(connection)
    for one in found:
        _end_waiting(engine, one)


def _end_waiting(engine: Engine, campaign_id: int) -> None:
    """End the submissions of a cancelled campaign that wait; it has finished then."""
    most = AT_ONCE_ON_SQLITE if engine.dialect.name == "sqlite" else AT_ONCE
    waiting = [0]
    while waiting:
        with writing(engine) as connection:
            waiting = outcomes.waiting_of(connection, campaign_id, waiting[-1], most)
            if not waiting:
                campaigns.finish(connection, campaign_id)
            unknown.withdraw(connection, waiting)
            messages.end_members(connection, waiting, MessageState.CANCELLED)
            outcomes.close(connection, waiting, SubmissionState.PLANNED)


def retry(engine: Engine, settings: Settings, campaign_id: int) -> Loaded | None:
    """Send the failed messages of a campaign again, as a campaign of its own; never the unknown.

    Done twice it sends no message twice: those that a retry carries are left out. None when there
    is nothing to send.
    """
    with reading(engine) as connection:
        row = requests.by_id(connection, campaign_id)
        old = campaigns.progress(connection, campaign_id)
    if old is None or row is None:
        raise _missing(campaign_id)
    # Who failed is read twice, and has to be the same both times.
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        key, count = hashlib.sha256(), 0
        for msisdn, own in _failed(engine, campaign_id, row.total):
            key.update(f"{',' if count else ''}{msisdn}".encode())
            count += 1
            file.write(json.dumps([msisdn, own]).encode() + b"\n")
        if not count:
            return None
        order = EnqueueRequest(
            (),
            row.content.text,
            row.message_class,
            row.account,
            extension=row.content.extension,
            template=row.content.template,
            variables=row.content.variables,
            options=row.content.options,
            # The same failed messages make the same campaign, however often, from how many places.
            key=f"retry-{campaign_id}-{key.hexdigest()[:32]}",
        )
        file.seek(0)
        lines = (json.loads(line) for line in file)
        rows = (Row(nth, msisdn, dict(own) or None) for nth, (msisdn, own) in enumerate(lines, 1))
        return create(engine, settings, f"{old.name} (retry)", order, rows, retry_of=campaign_id)


def _failed(
    engine: Engine, campaign_id: int, total: int
) -> Iterator[tuple[str, Sequence[Sequence[str]]]]:
    """Yield number and variables of failed messages, without those that a retry carries."""
    carried = NumberSet()
    with reading(engine) as connection:
        retries = campaigns.retries(connection, campaign_id)
    for one, its_total in retries.items():
        for first in range(0, its_total, LOOKED_AT):
            with reading(engine) as connection:
                there = campaign_rows.there(connection, one, first, first + LOOKED_AT)
            carried.repeated(there.msisdns)
    states = [state.value for state in FAILED]
    for first in range(0, total, LOOKED_AT):
        with reading(engine) as connection:
            rows = campaigns.failed(connection, campaign_id, states, first, LOOKED_AT)
        again = set(carried.repeated([row.msisdn for row in rows]))
        for nth, row in enumerate(rows):
            if nth not in again:
                yield row.msisdn, row.variables or ()


def show(engine: Engine, campaign_id: int) -> CampaignProgress:
    """Return a campaign as it stands, or raise `NotFound`."""
    with reading(engine) as connection:
        found = campaigns.progress(connection, campaign_id)
    if found is None:
        raise _missing(campaign_id)
    return found


def finish_drained(engine: Engine) -> list[int]:
    """Move campaigns of which nothing is queued or submitting to `done`; returns their ids."""
    with reading(engine) as connection:
        drained = [
            one for one in campaigns.open_ones(connection) if campaigns.is_drained(connection, one)
        ]
    done = []
    for one in drained:
        with writing(engine) as connection:
            if campaigns.is_drained(connection, one) and campaigns.move(
                connection, one, CampaignState.DONE, finished_at=now()
            ):
                done.append(one)
    return done


def _lock(connection: Connection, campaign_id: int) -> None:
    """Lock the request first, as claims do: a claim is then wholly before or after."""
    if not requests.lock(connection, campaign_id):
        raise _missing(campaign_id)
    if campaigns.state_of(connection, campaign_id, lock=True) is None:
        raise _missing(campaign_id)


def _missing(campaign_id: int) -> NotFound:
    return NotFound(f"there is no campaign {campaign_id}; `xinshi campaign list` shows all")


def _refuse(state: str | None, campaign_id: int, to: CampaignState) -> NoReturn:
    """Say why a campaign cannot come into a state."""
    what = "run" if to is CampaignState.RUNNING else f"be {to.value}"
    msg = f"campaign {campaign_id} is {state} "
    raise TooLate(msg + ("already" if state == to else f"and cannot {what}"))
