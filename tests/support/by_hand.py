"""Submitting by hand, one step at a time and without a network: what laws of the store need."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, func, select, update

from tests.support.stage import LOGINS, TEXT
from worker.config import settings
from worker.config.settings import Settings
from worker.delivery import record as record_module
from worker.delivery import submit
from worker.delivery.submit import CallAnswer, PreparedSubmission
from worker.domain.enums import CampaignState, MessageClass, OptOutSource, Outcome
from worker.gateways.results import Result, Results
from worker.intake import campaigns
from worker.intake import enqueue as enqueue_module
from worker.intake.campaign_loader import Loaded
from worker.intake.enqueue import Enqueued
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import Row
from worker.runtime.process import WorkerProcess
from worker.store import accounts
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.delivery import account_doubts, outcomes
from worker.store.delivery.claims import Lease
from worker.store.feedback.opt_outs import OptOutOrigin
from worker.store.intake.campaign_progress import count_by_state
from worker.store.schema.tables import (
    account_state,
    campaign,
    message,
    metadata,
    request,
    submission,
)
from worker.store.schema.views import view_query

NOTICE = MessageClass.NOTICE
MARKETING = MessageClass.MARKETING
#: Nobody listens there, and nothing is sent there.
NOWHERE = "http://127.0.0.1:9"


def settings_of(url: str, **sections: Mapping[str, Any]) -> Settings:
    """Return settings with some accounts of `LOGINS`, each with more keys; `bulk` if none."""
    wanted = sections or {"bulk": {}}
    raw = {
        "database_url": url,
        "accounts": {
            name: {
                "base_url": NOWHERE,
                "sending_hours": "any",
                "concurrency": 100,
                **LOGINS[name],
                **more,
            }
            for name, more in wanted.items()
        },
    }
    return settings.parse(raw, Path("/"), {})


class Hand:
    """A database and settings, and each step of submitting as a call."""

    def __init__(self, engine: Engine, made: Settings) -> None:
        self.engine = engine
        self.settings = made
        # Never started: only asked what it would look for.
        self._lanes = WorkerProcess(made, list(MessageClass)).lanes
        self.prove()

    def prove(self) -> None:
        """Let all logins have been accepted before."""
        with writing(self.engine) as connection:
            for name, login in self.settings.logins.fingerprints.items():
                accounts.ensure(connection, name)
                account_doubts.prove_login(connection, name, login)

    def enqueue(self, to: Iterable[str], text: str = TEXT, **more: Any) -> Enqueued:
        """Take an order in."""
        checked = enqueue_module.check(self.settings, EnqueueRequest(list(to), text, **more))
        with writing(self.engine) as connection:
            return enqueue_module.store(connection, checked)

    def campaign(self, to: Iterable[str | Row], text: str = TEXT, **more: Any) -> Loaded:
        """Load a campaign and start it."""
        rows = (one if isinstance(one, Row) else Row(i, one) for i, one in enumerate(to, 1))
        loading = {"start": more.pop("start", True), "allowed": more.pop("allowed", ())}
        order = EnqueueRequest((), text, more.pop("message_class", MARKETING), **more)
        return campaigns.create(self.engine, self.settings, "test", order, rows, **loading)

    def claim_in(self, connection: Connection, message_class: MessageClass) -> list[Lease]:
        """Claim what is due as a lane does, in the caller's transaction."""
        return self._lanes[message_class]._begin_claim(connection).take(connection)

    def take(self, message_class: MessageClass = NOTICE) -> list[PreparedSubmission]:
        """Claim and write ahead in one transaction, as a lane does."""
        with writing(self.engine) as connection:
            leases = self.claim_in(connection, message_class)
            return submit.write_ahead(connection, self.settings, leases) if leases else []

    def record(self, *answers: CallAnswer) -> None:
        """Write outcomes."""
        with writing(self.engine) as connection:
            record_module.record(
                connection,
                [record_module.outcome_of(one) for one in answers],
                self.settings,
                "hand",
            )

    def sweep(self) -> list[tuple[int, str]]:
        """End leases that ran out."""
        with writing(self.engine) as connection:
            return outcomes.sweep(connection)

    def run_out(self) -> None:
        """Let all leases run out now."""
        with writing(self.engine) as connection:
            connection.execute(
                update(submission)
                .where(submission.c.lease_until.is_not(None))
                .values(lease_until=later(-1))
            )

    def make_due(self) -> None:
        """Let all that waits planned be due now, and all probes."""
        with writing(self.engine) as connection:
            connection.execute(
                update(submission)
                .where(submission.c.state == "planned", submission.c.next_at.is_not(None))
                .values(next_at=later(-1))
            )
            connection.execute(
                update(account_state)
                .where(account_state.c.probe_at.is_not(None))
                .values(probe_at=later(-1))
            )

    def count(self, request_id: int) -> dict[str, int]:
        """Count a request's messages by state, as campaigns show them."""
        with reading(self.engine) as connection:
            return count_by_state(connection, request_id)

    def seen(self, request_id: int) -> dict[int, str]:
        """Return the states of a request's messages, as the view shows them."""
        rows = view_query().subquery()
        with reading(self.engine) as connection:
            found = connection.execute(
                select(rows.c.n, rows.c.state).where(rows.c.request_id == request_id)
            )
            return {row.n: row.state for row in found}

    def submissions(self, request_id: int) -> list[Any]:
        """Return a request's submissions, the oldest first."""
        with reading(self.engine) as connection:
            query = select(submission).where(submission.c.request_id == request_id)
            return list(connection.execute(query.order_by(submission.c.id)))

    def all_seen(self) -> dict[tuple[int, int], str]:
        """Return the states of all messages, as the view shows them."""
        rows = view_query().subquery()
        with reading(self.engine) as connection:
            found = connection.execute(select(rows.c.request_id, rows.c.n, rows.c.state))
            return {(row.request_id, row.n): row.state for row in found}

    def all_submissions(self) -> list[Any]:
        """Return all submissions."""
        with reading(self.engine) as connection:
            return list(connection.execute(select(submission)))

    def all_ended(self) -> set[tuple[int, int]]:
        """Return the messages that have a state of their own."""
        with reading(self.engine) as connection:
            query = select(message.c.request_id, message.c.n).where(message.c.state.is_not(None))
            return {(row.request_id, row.n) for row in connection.execute(query)}

    def cursors(self) -> dict[int, int]:
        """Return how far each request has been handed out."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(request.c.id, request.c.next_n))
            return {row.id: row.next_n for row in rows}

    def campaigns_in(self, state: CampaignState) -> set[int]:
        """Return the campaigns that are in a state."""
        with reading(self.engine) as connection:
            query = select(campaign.c.request_id).where(campaign.c.state == state.value)
            return set(connection.execute(query).scalars())

    def number_of(self, table: Any) -> int:
        """Count the rows of a table."""
        with reading(self.engine) as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    def clear(self) -> None:
        """Remove every row."""
        with writing(self.engine) as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        self.prove()


def by_person(why: str) -> OptOutOrigin:
    """Return the origin of an opt-out that a person entered."""
    return OptOutOrigin(OptOutSource.PERSON, "somebody", why)


def answer(ready: PreparedSubmission, outcome: Outcome, **more: Any) -> CallAnswer:
    """Return how a call ended: with this outcome for all of its messages."""
    return CallAnswer(ready, Results(Result(outcome, **{"code": outcome.value, **more})), 0.0)


def before_statements(engine: Engine, act: Callable[[], None]) -> Callable[[], None]:
    """Call `act` before each statement of `engine`; returns how to stop that."""

    def heard(*_: object) -> None:
        act()

    event.listen(engine, "before_cursor_execute", heard)
    return lambda: event.remove(engine, "before_cursor_execute", heard)


def hurry(engine: Engine) -> None:
    """Let SQLite not wait for the disk: many short histories, none of which has to last."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _off(raw: Any, _record: Any) -> None:
        raw.execute("PRAGMA synchronous=OFF")
