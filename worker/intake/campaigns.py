"""Create, run, pause, cancel and retry campaigns.

A campaign is loaded as a whole before any of its messages is sent.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NoReturn

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain import placeholders
from worker.domain.enums import CampaignState, MessageState, SubmissionState
from worker.domain.errors import NotFound, TooLate, ValidityOver
from worker.domain.transitions import FAILED_STATES
from worker.intake import campaign_loader
from worker.intake.campaign_loader import Loaded
from worker.intake.enqueue import EnqueueRequest
from worker.intake.number_set import NumberSet
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue
from worker.store import events, messages
from worker.store.db import capabilities
from worker.store.db.clock import now
from worker.store.db.database import reading, writing
from worker.store.delivery import outcomes
from worker.store.intake import (
    campaign_progress,
    campaign_rows,
    campaigns,
    requests,
)
from worker.store.intake.campaign_progress import CampaignProgress
from worker.store.settlement import unknown

#: Who acted, as events keep it, where nobody says: an application that calls these functions.
APPLICATION = "application"
#: How many waiting submissions are ended in one transaction; on SQLite all other writers wait for
#: it.
MAX_ENDED_TOGETHER, MAX_ENDED_TOGETHER_ON_SQLITE = 1000, 100
#: How many messages of a campaign are read together to find those that failed.
MESSAGES_READ_TOGETHER = 20_000
#: How many bytes of the failed recipients stay in memory; more go to a temporary file without a
#: name.
MAX_BYTES_IN_MEMORY = 8 * 1024 * 1024


def create(
    engine: Engine,
    settings: Settings,
    name: str,
    request: EnqueueRequest,
    rows: Iterable[Row | PlainRows],
    *,
    start: bool = True,
    skip_bad: bool = False,
    given_names: Collection[str] = (),
    retry_of: int | None = None,
    who: str = APPLICATION,
    allowed: Collection[OddValue] | None = (),
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> Loaded:
    """Load a campaign's recipients and start it; events keep `who` did.

    `request` holds everything but the recipients; `given_names` are those of the values that its
    rows have, as far as they are known. Rows whose number came before are left out, and
    where opt-outs hold for the class, those whose number has opted out. With a bad row nothing is
    sent and the campaign stays `ready`, unless `skip_bad`. `allowed` names the odd values that make
    no row bad; None allows all. `on_progress` is called with the number of rows read so far. With a
    key that was used for the same campaign, that campaign is returned, or loaded on from where its
    loader was cut off. Raises `Refused` when `request` has a fault, `KeyConflict` when the key
    stands for another request or another call is loading the campaign now, and `TooLate` when the
    campaign is cancelled meanwhile.
    """
    loaded, waits = campaign_loader.load(
        engine,
        settings,
        name,
        request,
        rows,
        who=who,
        given_names=given_names,
        retry_of=retry_of,
        allowed=allowed,
        on_progress=on_progress,
    )
    if waits and _may_start(loaded, start=start, skip_bad=skip_bad):
        run(engine, loaded.id, who=who)
    return loaded


def _may_start(loaded: Loaded, *, start: bool, skip_bad: bool) -> bool:
    """Tell whether a loaded campaign is started at once."""
    return bool(start and loaded.total and (skip_bad or not loaded.invalid))


def run(
    engine: Engine,
    campaign_id: int,
    not_after: datetime | None = None,
    *,
    who: str = APPLICATION,
    why: str | None = None,
) -> CampaignProgress:
    """Start a campaign that is ready, or resume one that is paused.

    Raises `ValidityOver` when its validity is over and `not_after` gives no new end, and `TooLate`
    when it has ended.
    """
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        if not_after is not None:
            requests.extend(connection, campaign_id, not_after)
        elif requests.validity_over(connection, campaign_id):
            msg = f"campaign {campaign_id} is past its validity; say until when it may be sent"
            raise ValidityOver(msg)
        state = campaigns.state_of(connection, campaign_id)
        if not campaigns.move(connection, campaign_id, CampaignState.RUNNING, started_at=now()):
            _refuse(state, campaign_id, CampaignState.RUNNING)
        was_paused = state == CampaignState.PAUSED
        _add_event(
            connection,
            campaign_id,
            "campaign.resumed" if was_paused else "campaign.started",
            who,
            why,
        )
        campaigns.release(connection, campaign_id)
    return show(engine, campaign_id)


def pause(
    engine: Engine, campaign_id: int, *, who: str = APPLICATION, why: str | None = None
) -> CampaignProgress:
    """Hand out no more of a campaign until it is resumed; calls that are under way finish."""
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        if not campaigns.move(connection, campaign_id, CampaignState.PAUSED):
            _refuse(campaigns.state_of(connection, campaign_id), campaign_id, CampaignState.PAUSED)
        _add_event(connection, campaign_id, "campaign.paused", who, why)
        campaigns.stop(connection, campaign_id)
    return show(engine, campaign_id)


def cancel(
    engine: Engine, campaign_id: int, *, who: str = APPLICATION, why: str | None = None
) -> CampaignProgress:
    """End a campaign for good: messages that were not handed to a gateway yet are `cancelled`.

    From the first transaction on none of them is handed out any more. Submissions that wait are
    ended some at a time, so that no other writer waits long; a sweep ends the rest if this call
    dies.
    """
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        if not campaigns.move(connection, campaign_id, CampaignState.CANCELLED):
            state = campaigns.state_of(connection, campaign_id)
            _refuse(state, campaign_id, CampaignState.CANCELLED)
        _add_event(connection, campaign_id, "campaign.cancelled", who, why)
        requests.end_waiting_rest(connection, campaign_id, MessageState.CANCELLED)
    _end_waiting(engine, campaign_id)
    return show(engine, campaign_id)


def end_cancelled(engine: Engine) -> None:
    """End the waiting submissions of cancelled campaigns where `cancel` did not come to its end."""
    with reading(engine) as connection:
        campaign_ids = campaigns.unfinished_cancelled_ids(connection)
    for campaign_id in campaign_ids:
        _end_waiting(engine, campaign_id)


def _end_waiting(engine: Engine, campaign_id: int) -> None:
    """End the waiting submissions of a cancelled campaign; it is finished then."""
    limit = MAX_ENDED_TOGETHER_ON_SQLITE if capabilities.is_file(engine) else MAX_ENDED_TOGETHER
    waiting = [0]
    while waiting:
        with writing(engine) as connection:
            waiting = outcomes.lock_planned_of(connection, campaign_id, waiting[-1], limit)
            if not waiting:
                campaigns.finish_cancelled(connection, campaign_id)
            unknown.withdraw_resends(connection, waiting)
            messages.end_carried(connection, waiting, MessageState.CANCELLED)
            outcomes.mark_not_sent(connection, waiting, SubmissionState.PLANNED)


def retry(
    engine: Engine, settings: Settings, campaign_id: int, *, who: str = APPLICATION
) -> Loaded | None:
    """Send the failed messages of a campaign again, as a campaign of its own; never the unknown.

    Called twice it sends no message twice, because those that a retry carries are left out. Returns
    None when there is nothing to send.
    """
    with reading(engine) as connection:
        row = requests.by_id(connection, campaign_id)
        progress = campaign_progress.progress_of(connection, campaign_id)
    if progress is None or row is None:
        raise _not_found(campaign_id)
    # The recipients are read twice, and have to be the same ones: for the key, then for loading.
    with tempfile.SpooledTemporaryFile(MAX_BYTES_IN_MEMORY) as file:
        msisdns_hash, count = hashlib.sha256(), 0
        for msisdn, variables in _failed_recipients(engine, campaign_id, row.total):
            msisdns_hash.update(f"{',' if count else ''}{msisdn}".encode())
            count += 1
            file.write(json.dumps([msisdn, variables]).encode() + b"\n")
        if not count:
            return None
        text = row.content.text
        request = EnqueueRequest(
            (),
            # A text without values of its rows' own was filled when it was stored.
            text if row.personal or row.content.template else placeholders.escape(text),
            row.message_class,
            row.account,
            extension=row.content.extension,
            template=row.content.template,
            variables=row.content.variables,
            options=row.content.options,
            # The same failed messages make the same campaign, however many calls retry them.
            key=f"retry-{campaign_id}-{msisdns_hash.hexdigest()[:32]}",
        )
        file.seek(0)
        recipients = (json.loads(record) for record in file)
        rows = (
            Row(line, msisdn, dict(variables) or None)
            for line, (msisdn, variables) in enumerate(recipients, 1)
        )
        retry_name = f"{progress.name} (retry)"
        return create(
            engine,
            settings,
            retry_name,
            request,
            rows,
            retry_of=campaign_id,
            who=who,
            # The values were accepted before.
            allowed=None,
        )


def _failed_recipients(
    engine: Engine, campaign_id: int, total: int
) -> Iterator[tuple[str, Sequence[Sequence[str]]]]:
    """Yield number and variables of the failed messages that no retry carries."""
    carried = NumberSet()
    with reading(engine) as connection:
        retries = campaigns.retry_totals(connection, campaign_id)
    for retry_id, retry_total in retries.items():
        for first_n in range(0, retry_total, MESSAGES_READ_TOGETHER):
            with reading(engine) as connection:
                retried = campaign_rows.stored_messages(
                    connection, retry_id, first_n, first_n + MESSAGES_READ_TOGETHER
                )
            carried.add(retried.msisdns)
    states = [state.value for state in FAILED_STATES]
    for first_n in range(0, total, MESSAGES_READ_TOGETHER):
        with reading(engine) as connection:
            rows = campaigns.failed_messages(
                connection, campaign_id, states, first_n, MESSAGES_READ_TOGETHER
            )
        carried_rows = set(carried.add([row.msisdn for row in rows]))
        for index, row in enumerate(rows):
            if index not in carried_rows:
                yield row.msisdn, row.variables or ()


def show(engine: Engine, campaign_id: int) -> CampaignProgress:
    """Return a campaign with its progress, or raise `NotFound`."""
    with reading(engine) as connection:
        progress = campaign_progress.progress_of(connection, campaign_id)
    if progress is None:
        raise _not_found(campaign_id)
    return progress


def finish_drained(engine: Engine) -> list[int]:
    """Move campaigns to `done` of which no message is queued or submitting; return their ids."""
    with reading(engine) as connection:
        drained = [
            campaign_id
            for campaign_id in campaigns.open_campaign_ids(connection)
            if campaigns.is_drained(connection, campaign_id)
        ]
    finished = []
    for campaign_id in drained:
        with writing(engine) as connection:
            if campaigns.is_drained(connection, campaign_id) and campaigns.move(
                connection, campaign_id, CampaignState.DONE, finished_at=now()
            ):
                finished.append(campaign_id)
    return finished


def _add_event(
    connection: Connection, campaign_id: int, name: str, who: str, why: str | None
) -> None:
    """Note what somebody did with a campaign, and why if that was said."""
    detail = {"why": why[:200]} if why else None
    events.add(connection, name, who, request_id=campaign_id, detail=detail)


def _lock(connection: Connection, campaign_id: int) -> None:
    """Lock a campaign, its request first as claims do: a claim is then wholly before or after."""
    if not requests.lock(connection, campaign_id):
        raise _not_found(campaign_id)
    if campaigns.state_of(connection, campaign_id, lock=True) is None:
        raise _not_found(campaign_id)


def _not_found(campaign_id: int) -> NotFound:
    return NotFound(f"there is no campaign {campaign_id}; `xinshi campaign list` shows all")


def _refuse(state: str | None, campaign_id: int, target_state: CampaignState) -> NoReturn:
    """Raise `TooLate`, which says why a campaign cannot move to a state."""
    verb = "run" if target_state is CampaignState.RUNNING else f"be {target_state.value}"
    msg = f"campaign {campaign_id} is {state} "
    raise TooLate(msg + ("already" if state == target_state else f"and cannot {verb}"))
