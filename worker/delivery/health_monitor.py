"""Examine how accounts did lately, and decide what share of their traffic each one gets.

One tick looks at what is new since it looked last, and moves each account one step at the most.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import Reports
from worker.policy import account_health
from worker.policy.account_health import (
    HEALTHY,
    Count,
    Gauges,
    Health,
    HealthSample,
)
from worker.store import accounts, events, ticks
from worker.store.db import database
from worker.store.delivery import health_samples

log = structlog.get_logger()

#: The tick's name.
TICK_NAME = "health"
#: The most marks that are kept of how far the submissions were at which time.
MAX_ID_MARKS = 30


class IdMark(NamedTuple):
    """Which submission was the last one at a time, in seconds since 1970."""

    at: float
    last_id: int


@dataclass(frozen=True, slots=True)
class HealthMemory:
    """What the tick remembers. Times are seconds of the database's clock since 1970."""

    #: When it looked last, and the last submission then.
    at: float
    last_id: int
    #: Submissions that had no outcome then.
    open_ids: Sequence[int] = ()
    #: Submissions up to this one were looked at for their reports.
    reports_seen_to: int = 0
    #: How far the submissions were at which time, the oldest first.
    id_marks: Sequence[IdMark] = ()
    gauges: Mapping[str, Gauges] = field(default_factory=dict)


def examine(engine: Engine, settings: Settings, owner: str) -> None:
    """Look at what is new, and write each account's share where it changed."""
    with database.reading(engine) as connection:
        cursor = ticks.read_cursor(connection, TICK_NAME)
        last_id, moment = health_samples.newest_submission(connection)
        # At first there is nothing to go on from: history is not read.
        memory = _load_memory(cursor) or HealthMemory(
            moment.timestamp(), last_id, reports_seen_to=last_id
        )
        samples, new_memory = _sample(connection, settings, memory, last_id, moment.timestamp())
        old_healths = accounts.healths(connection)
    gauges = _move_gauges(settings, memory, samples, new_memory.at)
    new_memory = replace(new_memory, gauges=gauges)
    changed = _changed_healths(gauges, old_healths, moment)
    with database.writing(engine) as connection:
        if ticks.read_cursor(connection, TICK_NAME) != cursor:
            # Another process examined meanwhile: its word counts.
            return
        ticks.write_cursor(connection, TICK_NAME, _dump_memory(new_memory))
        for account_name, health in changed.items():
            accounts.write_health(connection, account_name, health)
            detail = _event_detail(health)
            events.add(connection, "account.share", owner, account=account_name, detail=detail)
    for account_name, health in changed.items():
        _log_share(account_name, health, old_healths.get(account_name, HEALTHY).share)


def _log_share(account_name: str, health: Health, old_share: float) -> None:
    """Log an account's new share; as a warning where it gets less than before."""
    detail = _event_detail(health)
    if health.share < old_share:
        log.warning("account.share", account=account_name, before=old_share, **detail)
    else:
        log.info("account.share", account=account_name, before=old_share, **detail)


def _sample(
    connection: Connection, settings: Settings, memory: HealthMemory, last_id: int, at: float
) -> tuple[dict[str, HealthSample], HealthMemory]:
    """Count the calls that ended since, and the reports that came in time.

    Returns the samples by account, and what to remember.
    """
    fresh_calls, fresh_open_ids = health_samples.count_calls(connection, memory.last_id, last_id)
    late_calls, late_open_ids = health_samples.recount_calls(connection, memory.open_ids)
    calls = _add_counts(fresh_calls, late_calls)
    within = settings.top.reports_within
    due_marks = [mark for mark in memory.id_marks if mark.at <= at - within]
    reports_due_to = due_marks[-1].last_id if due_marks else memory.reports_seen_to
    reporting = [
        account_name
        for account_name, account in settings.accounts.items()
        if account.reports is not Reports.NONE
    ]
    reports = health_samples.count_reports(
        connection, reporting, memory.reports_seen_to, reports_due_to, within
    )
    samples = {
        account_name: HealthSample(calls.get(account_name, Count()), reports.get(account_name, {}))
        for account_name in settings.accounts
    }
    id_marks = [mark for mark in memory.id_marks if mark not in due_marks]
    if not id_marks or at - id_marks[-1].at >= within / MAX_ID_MARKS:
        id_marks.append(IdMark(at, last_id))
    open_ids = [*late_open_ids, *fresh_open_ids][-health_samples.MAX_OPEN_CALLS :]
    return samples, HealthMemory(at, last_id, open_ids, reports_due_to, id_marks)


def _add_counts(*counts_by_account: Mapping[str, Count]) -> Mapping[str, Count]:
    """Return the sums of counts, by account."""
    sums: dict[str, Count] = defaultdict(Count)
    for counts in counts_by_account:
        for account_name, count in counts.items():
            sums[account_name] += count
    return sums


def _move_gauges(
    settings: Settings, memory: HealthMemory, samples: Mapping[str, HealthSample], at: float
) -> dict[str, Gauges]:
    """Return the gauges of each account after what was sampled."""
    seconds = max(0.0, at - memory.at)
    return {
        account_name: memory.gauges.get(account_name, Gauges()).after(
            samples[account_name], seconds
        )
        for account_name in settings.accounts
    }


def _changed_healths(
    gauges: Mapping[str, Gauges], old_healths: Mapping[str, Health], moment: datetime
) -> dict[str, Health]:
    """Return what has to be written, in the order of the accounts' names."""
    at = moment.astimezone(UTC).isoformat(timespec="seconds")
    changed = {}
    for account_name in sorted(gauges):
        old_health = old_healths.get(account_name, HEALTHY)
        health = account_health.health_of(gauges[account_name], old_health, at)
        if health.as_json() != old_health.as_json():
            changed[account_name] = health
    return changed


def _event_detail(health: Health) -> dict[str, Any]:
    """Return what an event and the log say of a share: the carriers that get less, and why."""
    carriers = {
        carrier.value: share for carrier, share in health.carrier_shares.items() if share < 1.0
    }
    detail: dict[str, Any] = {"share": health.share}
    if carriers:
        detail["carriers"] = carriers
    if health.reason:
        detail["why"] = health.reason
    return detail


def _dump_memory(memory: HealthMemory) -> dict[str, Any]:
    """Return the memory as the tick's cursor holds it."""
    return {
        "at": memory.at,
        "last": memory.last_id,
        "open": list(memory.open_ids),
        "ripe": memory.reports_seen_to,
        "marks": [list(mark) for mark in memory.id_marks],
        "gauges": {
            account_name: account_health.dump_gauges(gauges)
            for account_name, gauges in memory.gauges.items()
        },
    }


def _load_memory(cursor: Mapping[str, Any]) -> HealthMemory | None:
    """Read the memory from the tick's cursor; None when it never looked."""
    if not cursor:
        return None
    return HealthMemory(
        cursor["at"],
        cursor["last"],
        cursor["open"],
        cursor["ripe"],
        [IdMark(at, last_id) for at, last_id in cursor["marks"]],
        {
            account_name: account_health.load_gauges(stored)
            for account_name, stored in cursor["gauges"].items()
        },
    )
