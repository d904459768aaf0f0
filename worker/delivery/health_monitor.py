"""Examining accounts: how they did lately decides what share of their traffic they get.

One tick looks at what is new since it looked last, and moves each account one step at the most.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import Reports
from worker.policy import account_health
from worker.policy.account_health import (
    WELL,
    Count,
    Gauges,
    Health,
    HealthSample,
)
from worker.store import (
    accounts,
    events,
    health_samples,
    ticks,
)
from worker.store.db import database

log = structlog.get_logger()

#: The tick's name.
NAME = "health"
#: So many marks are kept at the most of how far the submissions were at which time.
MARKS = 30


@dataclass(frozen=True, slots=True)
class Memory:
    """What the tick remembers. Times are seconds of the database's clock since 1970."""

    #: When it looked last, and the last submission then.
    at: float
    last: int
    #: Submissions that had no outcome then.
    open: Sequence[int] = ()
    #: Those up to here were looked at for their reports.
    ripe: int = 0
    #: How far the submissions were at which time, the oldest first.
    marks: Sequence[tuple[float, int]] = ()
    gauges: Mapping[str, Gauges] = field(default_factory=dict)


def examine(engine: Engine, settings: Settings, owner: str) -> None:
    """Look at what is new, and write each account's share where it changed."""
    with database.reading(engine) as connection:
        before = ticks.cursor(connection, NAME)
        last, moment = health_samples.newest(connection)
        # At first there is nothing to go on from: history is not read.
        memory = _loaded(before) or Memory(moment.timestamp(), last, ripe=last)
        seen, after = _look(connection, settings, memory, last, moment.timestamp())
        known = accounts.healths(connection)
    after = replace(after, gauges=_moved(settings, memory, seen, after.at))
    changed = _changed(after.gauges, known, moment)
    with database.writing(engine) as connection:
        if ticks.cursor(connection, NAME) != before:
            # Another process examined meanwhile: its word counts.
            return
        ticks.write_cursor(connection, NAME, _dumped(after))
        for name, now_is in changed.items():
            accounts.write_health(connection, name, now_is)
            events.add(connection, "account.share", owner, account=name, detail=_detail(now_is))
    for name, now_is in changed.items():
        was = known.get(name, WELL).share
        if now_is.share < was:
            log.warning("account.share", account=name, before=was, **_detail(now_is))
        else:
            log.info("account.share", account=name, before=was, **_detail(now_is))


def _look(
    connection: Connection, settings: Settings, memory: Memory, last: int, at: float
) -> tuple[dict[str, HealthSample], Memory]:
    """Count what ended since, and what reports came in time; returns what to remember."""
    fresh, still = health_samples.calls(connection, memory.last, last)
    late, later_still = health_samples.calls_of(connection, memory.open)
    within = settings.top.reports_within
    past = [mark for mark in memory.marks if mark[0] <= at - within]
    ripe = past[-1][1] if past else memory.ripe
    reporting = [name for name, one in settings.accounts.items() if one.reports is not Reports.NONE]
    reported = health_samples.reports(connection, reporting, memory.ripe, ripe, within)
    calls: dict[str, Count] = defaultdict(Count)
    for counted in (fresh, late):
        for name, count in counted.items():
            calls[name] += count
    seen = {
        name: HealthSample(calls.get(name, Count()), reported.get(name, {}))
        for name in settings.accounts
    }
    marks = [mark for mark in memory.marks if mark not in past]
    if not marks or at - marks[-1][0] >= within / MARKS:
        marks.append((at, last))
    open_now = [*later_still, *still][-health_samples.MOST_OPEN :]
    return seen, Memory(at, last, open_now, ripe, marks)


def _moved(
    settings: Settings, memory: Memory, seen: Mapping[str, HealthSample], at: float
) -> dict[str, Gauges]:
    seconds = max(0.0, at - memory.at)
    return {
        name: memory.gauges.get(name, Gauges()).after(seen[name], seconds)
        for name in settings.accounts
    }


def _changed(
    gauges: Mapping[str, Gauges], known: Mapping[str, Health], moment: datetime
) -> dict[str, Health]:
    """Return what has to be written, in the order of the accounts' names."""
    at = moment.astimezone(UTC).isoformat(timespec="seconds")
    now = {
        name: account_health.health(gauges[name], known.get(name, WELL), at)
        for name in sorted(gauges)
    }
    return {
        name: one for name, one in now.items() if one.as_json() != known.get(name, WELL).as_json()
    }


def _detail(now_is: Health) -> dict[str, Any]:
    carriers = {one.value: share for one, share in now_is.carriers.items() if share < 1.0}
    said: dict[str, Any] = {"share": now_is.share}
    return (
        said
        | ({"carriers": carriers} if carriers else {})
        | ({"why": now_is.why} if now_is.why else {})
    )


def _dumped(memory: Memory) -> dict[str, Any]:
    return {
        "at": memory.at,
        "last": memory.last,
        "open": list(memory.open),
        "ripe": memory.ripe,
        "marks": [list(mark) for mark in memory.marks],
        "gauges": {name: account_health.dump(one) for name, one in memory.gauges.items()},
    }


def _loaded(kept: Mapping[str, Any]) -> Memory | None:
    if not kept:
        return None
    return Memory(
        kept["at"],
        kept["last"],
        kept["open"],
        kept["ripe"],
        [(at, last) for at, last in kept["marks"]],
        {name: account_health.load(one) for name, one in kept["gauges"].items()},
    )
