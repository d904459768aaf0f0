"""Finds why a message or a campaign waits, whoever asks: one function for each."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row

from producer.waiting import account_waits, stop_words, worker_delay
from producer.waiting.wait_reasons import WaitCause, WaitKind
from worker.config.settings import Settings
from worker.delivery import recipient_limits
from worker.domain import msisdn as numbers
from worker.domain.enums import CampaignState, MessageState, NumberKind
from worker.domain.enums import SubmissionState as S
from worker.intake import lookup
from worker.intake.lookup import Message
from worker.policy.eligibility import RoutingQuery
from worker.store import messages
from worker.store.db import database
from worker.store.delivery import stops
from worker.store.intake import campaign_progress, requests
from worker.store.intake.campaign_progress import CampaignProgress


def of_campaign(engine: Engine, settings: Settings, campaign: CampaignProgress) -> list[WaitCause]:
    """Return why a campaign does not move; [] when it moves or has ended."""
    with database.reading(engine) as connection:
        return _campaign_reasons(connection, settings, campaign)


def of_message(engine: Engine, settings: Settings, message: Message) -> list[WaitCause]:
    """Return why a message waits; [] when it is under way, was handed over, or has ended."""
    if message.state is not MessageState.QUEUED:
        return []
    with database.reading(engine) as connection:
        return _message_reasons(connection, settings, message)


def _campaign_reasons(
    connection: Connection, settings: Settings, campaign: CampaignProgress
) -> list[WaitCause]:
    if campaign.state is CampaignState.RUNNING and campaign.open and not _is_under_way(campaign):
        query = _query_of_request(connection, campaign.id)
        return _reasons_of_work(connection, settings, query) if query else []
    reason = _reason_of_state(campaign)
    return [reason] if reason else []


def _reason_of_state(campaign: CampaignProgress) -> WaitCause | None:
    """Return why a campaign waits whose state alone says it."""
    cancel, resume = (f"`xinshi campaign {act} {campaign.id}`" for act in ("cancel", "resume"))
    not_started = WaitCause(WaitKind.NOT_STARTED, advice=resume)
    nobody = WaitCause(WaitKind.EMPTY, advice=cancel)
    return {
        CampaignState.LOADING: WaitCause(WaitKind.LOADING),
        CampaignState.READY: not_started if campaign.total else nobody,
        CampaignState.PAUSED: WaitCause(WaitKind.PAUSED, advice=resume),
        CampaignState.SCHEDULED: WaitCause(WaitKind.NOT_BEFORE, until=campaign.not_before),
    }.get(campaign.state)


def _is_under_way(campaign: CampaignProgress) -> bool:
    return bool(campaign.states.get(MessageState.SUBMITTING.value))


def _query_of_request(connection: Connection, request_id: int) -> RoutingQuery | None:
    row = requests.by_id(connection, request_id)
    if row is None:
        return None
    kinds = [NumberKind(kind) for kind in row.kinds.split(",") if kind]
    return RoutingQuery(row.message_class, row.content, kinds, datetime.now(UTC), row.account)


def _message_reasons(
    connection: Connection, settings: Settings, message: Message
) -> list[WaitCause]:
    if message.campaign is not None:
        campaign = campaign_progress.progress_of(connection, message.campaign)
        if campaign is not None and campaign.state is not CampaignState.RUNNING:
            return _campaign_reasons(connection, settings, campaign)
    request_id, n = lookup.parse_id(message.id)
    row = requests.by_id(connection, request_id)
    if row is None:
        return []
    if row.not_before is not None and row.not_before > datetime.now(UTC):
        return [WaitCause(WaitKind.NOT_BEFORE, until=row.not_before)]
    planned = _planned(messages.submissions_of(connection, request_id, n))
    query = RoutingQuery(
        row.message_class,
        row.content,
        [kind] if (kind := numbers.kind(message.to)) else [],
        datetime.now(UTC),
        row.account,
        single=message.campaign is None,
    )
    pause = [] if planned is None else _pause_reasons(planned)
    return pause or _reasons_of_work(connection, settings, query)


def _planned(submissions: list[Row[Any]]) -> Row[Any] | None:
    """Return the submission that carries a message next; None when none is planned."""
    planned = [row for row in submissions if row.state == S.PLANNED.value]
    return planned[-1] if planned else None


def _pause_reasons(planned: Row[Any]) -> list[WaitCause]:
    """Return why a planned submission is not due yet."""
    if planned.next_at is None and planned.outcome is not None:
        return [WaitCause(WaitKind.SPLIT, advice=f"`xinshi settle split {planned.id}`")]
    if planned.next_at is None or planned.next_at <= datetime.now(UTC):
        return []
    if planned.code == recipient_limits.LIMIT_CODE:
        return [WaitCause(WaitKind.RECIPIENT_LIMIT, until=planned.next_at)]
    why = f"{planned.account} did not take it"
    return [WaitCause(WaitKind.RETRY, planned.account, planned.next_at, why)]


def _reasons_of_work(
    connection: Connection, settings: Settings, query: RoutingQuery
) -> list[WaitCause]:
    """Return why due work is not taken: its class is stopped, no worker runs, no account may."""
    stop = stops.current(connection).get(query.message_class)
    if stop is not None:
        return [stop_words.stop_reason(stop)]
    missing = [] if worker_delay.runs(connection) else [_no_worker()]
    return [*missing, *account_waits.reasons(connection, settings, query)]


def _no_worker() -> WaitCause:
    return WaitCause(WaitKind.NO_WORKER, advice="`xinshi up`")
