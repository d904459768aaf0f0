"""Create, run, pause, cancel and retry campaigns.

A campaign is loaded as a whole before any of its messages is sent.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NoReturn

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import CampaignState, MessageState, SubmissionState
from worker.domain.errors import NotFound, Problem, Refused, TooLate, ValidityOver
from worker.intake import campaign_loader
from worker.intake.campaign_loader import Loaded
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue
from worker.store import events, messages
from worker.store.db import capabilities
from worker.store.db.clock import now
from worker.store.db.database import reading, writing
from worker.store.delivery import outcomes
from worker.store.intake import (
    campaign_progress,
    campaigns,
    requests,
)
from worker.store.intake.campaign_progress import CampaignProgress
from worker.store.intake.requests import DueRequest
from worker.store.settlement import unknown

#: Who acted, as events keep it, where nobody says: an application that calls these functions.
APPLICATION = "application"
#: How many waiting submissions are ended in one transaction; on SQLite all other writers wait for
#: it.
MAX_ENDED_TOGETHER, MAX_ENDED_TOGETHER_ON_SQLITE = 1000, 100


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


def reschedule(
    engine: Engine,
    campaign_id: int,
    not_before: datetime,
    not_after: datetime | None = None,
    *,
    who: str = APPLICATION,
    why: str | None = None,
) -> CampaignProgress:
    """Move the time from which a campaign is sent, while nothing of it was handed out.

    Its validity moves with it, as long as it was, unless `not_after` gives its end. Raises
    `TooLate` when it has begun or has ended, and `Refused` when the times do not fit.
    """
    with writing(engine) as connection:
        _lock(connection, campaign_id)
        progress = campaign_progress.progress_of(connection, campaign_id)
        row = requests.by_id(connection, campaign_id)
        if progress is None or row is None:
            raise not_found(campaign_id)
        _check_waits(progress, row)
        until = not_after or _moved_end(progress, not_before)
        if until <= not_before:
            raise Refused([Problem("not_after", "is not later than not_before")])
        requests.move_window(connection, campaign_id, not_before, until)
        if progress.state is CampaignState.SCHEDULED:
            campaigns.release(connection, campaign_id)
        detail = {"not_before": not_before.isoformat(), "not_after": until.isoformat()}
        _add_event(connection, campaign_id, "campaign.rescheduled", who, why, detail)
    return show(engine, campaign_id)


def _check_waits(progress: CampaignProgress, row: DueRequest) -> None:
    """Raise `TooLate` unless a campaign was loaded and nothing of it was handed out."""
    if row.next_n:
        msg = f"campaign {progress.id} has begun and cannot be moved; `campaign pause` stops it"
        raise TooLate(msg)
    waiting = (CampaignState.READY, CampaignState.SCHEDULED, CampaignState.PAUSED)
    if progress.state not in waiting:
        msg = f"campaign {progress.id} is {progress.state.value} and cannot be moved"
        raise TooLate(msg)


def _moved_end(progress: CampaignProgress, not_before: datetime) -> datetime:
    """Return when the validity of a campaign ends that begins at another time."""
    began = progress.not_before or progress.created_at
    return not_before + ((progress.not_after or began) - began)


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


def show(engine: Engine, campaign_id: int) -> CampaignProgress:
    """Return a campaign with its progress, or raise `NotFound`."""
    with reading(engine) as connection:
        progress = campaign_progress.progress_of(connection, campaign_id)
    if progress is None:
        raise not_found(campaign_id)
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
    connection: Connection,
    campaign_id: int,
    name: str,
    who: str,
    why: str | None,
    facts: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Note what somebody did with a campaign, and why if that was said."""
    detail = {**facts, **({"why": why[:200]} if why else {})}
    events.add(connection, name, who, request_id=campaign_id, detail=detail or None)


def _lock(connection: Connection, campaign_id: int) -> None:
    """Lock a campaign, its request first as claims do: a claim is then wholly before or after."""
    if not requests.lock(connection, campaign_id):
        raise not_found(campaign_id)
    if campaigns.state_of(connection, campaign_id, lock=True) is None:
        raise not_found(campaign_id)


def not_found(campaign_id: int) -> NotFound:
    """Return the error that says that there is no such campaign."""
    return NotFound(f"there is no campaign {campaign_id}; `xinshi campaign list` shows all")


def _refuse(state: str | None, campaign_id: int, target_state: CampaignState) -> NoReturn:
    """Raise `TooLate`, which says why a campaign cannot move to a state."""
    verb = "run" if target_state is CampaignState.RUNNING else f"be {target_state.value}"
    msg = f"campaign {campaign_id} is {state} "
    raise TooLate(msg + ("already" if state == target_state else f"and cannot {verb}"))
