"""Slow an account down that its gateway finds too fast, once for all workers together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.domain.enums import Advice, Outcome
from worker.policy import adaptive_rate
from worker.policy.adaptive_rate import LearnedRate
from worker.store import events
from worker.store.delivery import account_pace
from worker.store.delivery.account_pace import Pacing
from worker.store.delivery.call_outcomes import CallOutcome

log = structlog.get_logger()


def slow_down(
    connection: Connection, calls: Sequence[CallOutcome], settings: Settings, owner: str
) -> None:
    """Slow accounts down whose gateways refused these calls because of our pace.

    Each account learns for itself, from what was taken of all that are one at the gateway.
    """
    refused_by_account: dict[str, list[CallOutcome]] = defaultdict(list)
    for call in calls:
        if _is_too_fast(call):
            refused_by_account[call.lease.account].append(call)
    if not refused_by_account:
        return
    submission_ids = [call.lease.id for refused in refused_by_account.values() for call in refused]
    began_by_id = account_pace.called_at(connection, submission_ids)
    pacings = account_pace.lock(connection, refused_by_account)
    for account_name in sorted(refused_by_account):
        _learn(
            connection,
            settings.accounts_sharing_login(account_name),
            refused_by_account[account_name],
            pacings[account_name],
            began_by_id,
            owner,
        )


def _is_too_fast(call: CallOutcome) -> bool:
    """Whether a gateway refused a call because of our pace, and wants us to be slower."""
    return any(
        result.outcome is Outcome.THROTTLED
        and bool(result.advice is Advice.SLOW_DOWN or result.retry_after)
        for result in call.verdicts
    )


def _learn(
    connection: Connection,
    accounts_with_login: Sequence[str],
    refused: Sequence[CallOutcome],
    pacing: Pacing,
    began_by_id: Mapping[int, float],
    owner: str,
) -> None:
    """Write what one account learns from the calls that its gateway refused.

    Refused calls that began before an earlier refusal has had its effect do not count again.
    """
    account_name, learned = refused[0].lease.account, pacing.learned
    for call in refused:
        if rest := max((result.retry_after or 0.0) for result in call.verdicts):
            learned = adaptive_rate.after_rest_request(learned, pacing.now, rest)
    latest_begin = max(began_by_id.get(call.lease.id, 0.0) for call in refused)
    if adaptive_rate.is_news(learned, latest_begin):
        measured = float(account_pace.fullest_second_count(connection, accounts_with_login))
        learned = adaptive_rate.after_refusal(learned, pacing.now, measured)
        _note_too_fast(connection, account_name, learned, owner)
    if learned != pacing.learned:
        account_pace.write_learned(connection, account_name, learned)


def _note_too_fast(
    connection: Connection, account_name: str, learned: LearnedRate, owner: str
) -> None:
    """Write an event, and log, at which rate an account was too fast."""
    rate = round(learned.refused_rate or 0.0, 2)
    log.warning("account.too_fast", account=account_name, rate=rate)
    detail = {"rate": rate}
    events.add(connection, "account.too_fast", owner, account=account_name, detail=detail)
