"""Slowing down: what a gateway's "too fast" does to its account, once for all workers together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.domain.enums import Advice, Outcome
from worker.policy import adaptive_rate
from worker.policy.adaptive_rate import Learned
from worker.store import account_pace, events
from worker.store.account_pace import Pacing
from worker.store.outcomes import CallOutcome

log = structlog.get_logger()


def heed(
    connection: Connection, calls: Sequence[CallOutcome], settings: Settings, owner: str
) -> None:
    """Slow accounts down whose gateways refused these calls because of our pace.

    Each account learns for itself, from what was taken of all that are one at the gateway.
    """
    refused: dict[str, list[CallOutcome]] = defaultdict(list)
    for call in calls:
        too_fast = call.result.outcome is Outcome.THROTTLED
        if too_fast and (call.result.advice is Advice.SLOW_DOWN or call.result.retry_after):
            refused[call.lease.account].append(call)
    if not refused:
        return
    began = account_pace.began(
        connection, [call.lease.id for some in refused.values() for call in some]
    )
    standing = account_pace.lock(connection, refused)
    for name in sorted(refused):
        _heed(connection, settings.sharing(name), refused[name], standing[name], began, owner)


def _heed(
    connection: Connection,
    sharing: Sequence[str],
    calls: Sequence[CallOutcome],
    pacing: Pacing,
    began: Mapping[int, float],
    owner: str,
) -> None:
    name, learned = calls[0].lease.account, pacing.learned
    for call in calls:
        if call.result.retry_after:
            learned = adaptive_rate.asked_to_rest(learned, pacing.now, call.result.retry_after)
    latest = max(began.get(call.lease.id, 0.0) for call in calls)
    if adaptive_rate.counts(learned, latest):
        measured = float(account_pace.fullest_second(connection, sharing))
        learned = adaptive_rate.refused(learned, pacing.now, measured)
        _tell(connection, name, learned, owner)
    if learned != pacing.learned:
        account_pace.learn(connection, name, learned)


def _tell(connection: Connection, name: str, learned: Learned, owner: str) -> None:
    rate = round(learned.refused or 0.0, 2)
    log.warning("account.too_fast", account=name, rate=rate)
    events.add(connection, "account.too_fast", owner, account=name, detail={"rate": rate})
