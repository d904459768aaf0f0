"""Describe how fast an account may submit, for `xinshi accounts`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from producer.cli import output

if TYPE_CHECKING:
    from producer.cli.session import Session
    from worker.gateways.base import Account
    from worker.store.delivery.account_pace import Pacing

UNITS = ("submissions", "messages", "segments")


def read_pacings(session: "Session") -> "dict[str, Pacing]":
    """Return how each account of the configuration is paced now, by its name."""
    from worker.store.db import database
    from worker.store.delivery import account_pace
    from worker.store.delivery.account_pace import Pacing

    with database.reading(session.engine) as connection:
        pacings = account_pace.pacings(connection)
    return {name: pacings.get(name, Pacing()) for name in session.settings.accounts}


def as_json(account: "Account", pacing: "Pacing") -> dict[str, Any]:
    """Return an account's limits and what is allowed of them now, as JSON shows them.

    Rates are per second; null is no limit.
    """
    from worker.intake.lookup import iso_time

    settings, learned = account.settings, pacing.learned
    is_resting = learned.rest_seconds(pacing.now) > 0
    return {
        **{f"{unit}_per_second": getattr(settings, f"{unit}_per_second") for unit in UNITS},
        "concurrency": settings.concurrency,
        "allowed_per_second": _rounded(_allowed_rate(account, pacing)),
        "refused_per_second": _rounded(learned.refused_rate),
        "refused_at": iso_time(_utc_moment(learned.refused_at)) if learned.refused_rate else None,
        "rests_until": iso_time(_utc_moment(learned.rest_until)) if is_resting else None,
        "by": "redis" if pacing.state is None else "database",
    }


def limits_summary(account: "Account", pacing: "Pacing") -> str:
    """Return the limits in one line: `now 12 submissions/s, 50 messages/s, 4 at once`."""
    limits = [
        f"{getattr(account.settings, f'{unit}_per_second'):g} {unit}/s"
        for unit in UNITS
        if getattr(account.settings, f"{unit}_per_second")
    ]
    allowed = _allowed_rate(account, pacing)
    if pacing.allowed_rate is not None and allowed is not None:
        limits = [f"now {allowed:.3g} submissions/s", *limits]
    return ", ".join([*limits, f"{account.settings.concurrency} at once"])


def pace_notices(account: "Account", pacing: "Pacing") -> list[str]:
    """Return a sentence for each thing that is unusual about an account's pace."""
    name, learned, notices = account.name, pacing.learned, []
    if learned.refused_rate is not None and pacing.allowed_rate is not None:
        notices.append(
            f"{name}: its gateway refused {learned.refused_rate:.3g} submissions a second at"
            f" {output.local_time(_utc_moment(learned.refused_at))}; it finds its rate by itself"
        )
    if learned.rest_seconds(pacing.now):
        until = output.local_time(_utc_moment(learned.rest_until))
        notices.append(f"{name}: its gateway asked to be left alone until {until}")
    if pacing.state is not None:
        notices.append(
            f"{name}: Redis is gone, the database paces it; marketing waits until Redis is back"
        )
    return notices


def _allowed_rate(account: "Account", pacing: "Pacing") -> float | None:
    """Return how many submissions per second settings and refusals allow; None is no limit."""
    rates = [account.settings.submissions_per_second, pacing.allowed_rate]
    return min((rate for rate in rates if rate is not None), default=None)


def _utc_moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 3)
