"""Find the reasons why a campaign does not move, with the command that helps against each."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from producer.cli import output, stop_notices, tick_delay
from producer.cli.exclusion_reasons import doubt_reason, exclusion_reason
from producer.cli.session import Session
from worker.delivery.claim import begin_claim
from worker.domain.enums import (
    CampaignState,
    MessageClass,
    MessageState,
    NumberKind,
)
from worker.policy.eligibility import Exclusion, RoutingQuery
from worker.store import accounts
from worker.store.db import database
from worker.store.intake import requests

if TYPE_CHECKING:
    from worker.store.intake.campaign_progress import CampaignProgress


def reasons_of(session: Session, campaign: "CampaignProgress") -> list[str]:
    """Return the reasons why a campaign does not move; none when it moves or has ended."""
    start = f"`xinshi campaign resume {campaign.id}`"
    match campaign.state:
        case CampaignState.LOADING:
            return ["it is not wholly loaded; the command that loads it may be repeated"]
        case CampaignState.READY if not campaign.total:
            return [f"nobody is in it: `xinshi campaign cancel {campaign.id}` drops it"]
        case CampaignState.READY:
            return [f"it is not started: {start}"]
        case CampaignState.PAUSED:
            return [f"it is paused: {start}"]
        case CampaignState.RUNNING if campaign.open and not _is_under_way(campaign):
            return _running_reasons(session, campaign)
    return []


def _is_under_way(campaign: "CampaignProgress") -> bool:
    return bool(campaign.states.get(MessageState.SUBMITTING.value))


def _running_reasons(session: Session, campaign: "CampaignProgress") -> list[str]:
    """Return why a running campaign, none of whose messages is under way, does not move."""
    if campaign.not_before and campaign.not_before > datetime.now(UTC):
        return [f"it begins at {output.local_time(campaign.not_before)}"]
    stop_reasons = stop_notices.notices(session, [MessageClass(campaign.message_class)])
    return stop_reasons or [*_worker_reasons(session), *_account_reasons(session, campaign)]


def _worker_reasons(session: Session) -> list[str]:
    with database.reading(session.engine) as connection:
        delay = tick_delay.read_delay(connection)
    if delay is None or delay > tick_delay.MAX_DELAY:
        return ["no worker runs: `xinshi up`"]
    return []


def _account_reasons(session: Session, campaign: "CampaignProgress") -> list[str]:
    """Return why each account of its class takes none of its messages; none when one takes them."""
    message_class = MessageClass(campaign.message_class)
    with database.reading(session.engine) as connection:
        row = requests.by_id(connection, campaign.id)
        selector = begin_claim(connection, session.settings, message_class, "").selector
        states = accounts.states(connection, session.settings.logins)
    if row is None:
        return []
    number_kinds = [NumberKind(number_kind) for number_kind in row.kinds.split(",") if number_kind]
    account_options = selector.options(
        RoutingQuery(message_class, row.content, number_kinds, datetime.now(UTC), campaign.account)
    )
    reasons = []
    for account_option in account_options:
        name = account_option.account.name
        if account_option.exclusion in {None, Exclusion.FULL} or (
            account_option.exclusion is Exclusion.DOUBT and selector.may_probe(name)
        ):
            return []
        if account_option.exclusion is Exclusion.DOUBT:
            doubt = doubt_reason(unproven=selector.doubts[name].unproven, probe=False)
            reasons.append(f"{name}: {doubt}")
        elif account_option.exclusion is not Exclusion.CLASS:
            reason = exclusion_reason(
                account_option, message_class, campaign.account, states.get(name)
            )
            reasons.append(f"{name}: {reason}")
    return reasons or ["no account serves its class"]
