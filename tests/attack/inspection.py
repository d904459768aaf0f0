"""What a run left behind: in the database, in the ledgers, in the log."""

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine, select

from tests.attack.bounds import Bound
from tests.attack.customer import CAMPAIGN_TEXT, Customer
from tests.attack.kinds import base
from tests.attack.kinds.uploads import TARGETS
from worker.config.settings import Settings
from worker.sandbox import read
from worker.settlement import invariants
from worker.settlement import ledger as ledger_module
from worker.store.db.database import reading
from worker.store.feedback import inbox as inbox_store
from worker.store.messages import message_view
from worker.store.schema.tables import opt_out

#: The most codes that one number may be sent in an hour, and the seconds that lie between two, as
#: `[web]` has them by default.
CODES_AN_HOUR, CODE_EVERY = 5, 60


def arrivals(ledger: Path) -> dict[str, float]:
    """Return when each number was first taken by the gateways, in seconds since 1970."""
    times: dict[str, float] = {}
    for entry in read(ledger):
        for number in entry.taken:
            times.setdefault(number, entry.at)
    return times


def states(engine: Engine, customer: Customer) -> dict[str, str]:
    """Return the state of each of a customer's messages by its number."""
    numbers = {number for sent in customer.sent for number in sent.numbers}
    with reading(engine) as connection:
        rows = connection.execute(select(message_view.c.msisdn, message_view.c.state))
        return {row.msisdn: row.state for row in rows if row.msisdn in numbers}


def of_laws(engine: Engine, settings: Settings, ledger: Path) -> list[Bound]:
    """Verify database and ledger, as `xinshi verify` does."""
    with reading(engine) as connection:
        findings = invariants.check_database(connection, settings)
        counts, more = ledger_module.compare(connection, settings, ledger)
    return [
        Bound("messages lost", counts.lost, 0),
        Bound("messages doubled", counts.doubled, 0),
        *(
            Bound(f"{found.name}: {found.law}", found.broken, 0)
            for found in (*findings, *more)
            if found.broken
        ),
    ]


def of_codes(ledger: Path, seconds: float) -> Bound:
    """Hold the codes of each target to what one number may be sent in so many seconds."""
    codes = Counter(number for entry in read(ledger) for number in entry.taken)
    most = max(codes[number] for number in TARGETS)
    return Bound("codes to one number", most, min(CODES_AN_HOUR, 1 + seconds // CODE_EVERY))


def of_opt_outs(engine: Engine, numbers: list[str]) -> list[Bound]:
    """Hold the house to every opt-out that a gateway handed over among odd rows."""
    with reading(engine) as connection:
        missing = set(numbers) - set(connection.execute(select(opt_out.c.msisdn)).scalars())
        ids = inbox_store.find_ids(connection) if missing else []
        pages = [inbox_store.find(connection, inbox_id) for inbox_id in ids]
    bodies = [page.body for page in pages if page is not None]
    stored = {number for number in missing if any(number.encode() in body for body in bodies)}
    return [
        Bound("opt-outs that were stored and not heeded", len(stored), 0),
        Bound("opt-outs that were handed over and not stored", len(missing - stored), 0),
    ]


def logged(log: Path) -> Counter[str]:
    """Count what was logged, by its event; what is no event counts as one."""
    events: Counter[str] = Counter()
    for line in log.read_text("utf-8", "replace").splitlines():
        with suppress(ValueError, AttributeError):
            entry = json.loads(line)
            events[" ".join(filter(None, [entry["event"], entry.get("tick")]))[:80]] += 1
    return events


def of_secrets(log: Path, customer: Customer, secrets: list[str]) -> Bound:
    """Hold the log to silence: no text, no whole number, no key, no token."""
    said = log.read_text("utf-8", "replace")
    numbers = [number for sent in customer.sent for number in sent.numbers][:200]
    words = [*secrets, base.TEXT, CAMPAIGN_TEXT, *TARGETS, *numbers]
    return Bound("secrets in the log", sum(word in said for word in words), 0)
