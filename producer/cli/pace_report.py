"""What `xinshi accounts` says of an account's pace."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from producer.cli import output

if TYPE_CHECKING:
    from producer.cli.session import Session
    from worker.gateways.base import Account
    from worker.store.account_pace import Pacing

UNITS = ("submissions", "messages", "segments")


def standing(here: "Session") -> "dict[str, Pacing]":
    """Return how each account is paced now."""
    from worker.store import account_pace
    from worker.store.account_pace import Pacing
    from worker.store.db import database

    with database.reading(here.engine) as connection:
        found = account_pace.standing(connection)
    return {name: found.get(name, Pacing()) for name in here.settings.accounts}


def as_json(account: "Account", pacing: "Pacing") -> dict[str, Any]:
    """Return limits and what is allowed of them now, rates in a second; null is no limit."""
    from worker.intake.lookup import stamp

    settings, learned = account.settings, pacing.learned
    rests = learned.rest(pacing.now) > 0
    return {
        **{f"{unit}_per_second": getattr(settings, f"{unit}_per_second") for unit in UNITS},
        "concurrency": settings.concurrency,
        "allowed_per_second": _rounded(_allowed(account, pacing)),
        "refused_per_second": _rounded(learned.refused),
        "refused_at": stamp(_moment(learned.at)) if learned.refused else None,
        "rests_until": stamp(_moment(learned.rest_until)) if rests else None,
        "by": "redis" if pacing.state is None else "database",
    }


def brief(account: "Account", pacing: "Pacing") -> str:
    """Write the limits in a few characters, as `50/s`."""
    limits = [
        f"{getattr(account.settings, f'{unit}_per_second'):g} {unit}/s"
        for unit in UNITS
        if getattr(account.settings, f"{unit}_per_second")
    ]
    allowed = _allowed(account, pacing)
    if pacing.allowed is not None and allowed is not None:
        limits = [f"now {allowed:.3g} submissions/s", *limits]
    return ", ".join([*limits, f"{account.settings.concurrency} at once"])


def advice(account: "Account", pacing: "Pacing") -> list[str]:
    """Say what is unusual about an account's pace, and what to do about it."""
    name, learned, found = account.name, pacing.learned, []
    if learned.refused is not None and pacing.allowed is not None:
        found.append(
            f"{name}: its gateway refused {learned.refused:.3g} submissions a second at"
            f" {output.local(_moment(learned.at))}; it finds its rate by itself"
        )
    if learned.rest(pacing.now):
        until = output.local(_moment(learned.rest_until))
        found.append(f"{name}: its gateway asked to be left alone until {until}")
    if pacing.state is not None:
        found.append(
            f"{name}: Redis is gone, the database paces it; marketing waits until Redis is back"
        )
    return found


def _allowed(account: "Account", pacing: "Pacing") -> float | None:
    """Return the submissions that are allowed in a second, by settings and by refusals."""
    rates = [account.settings.submissions_per_second, pacing.allowed]
    return min((one for one in rates if one is not None), default=None)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 3)
