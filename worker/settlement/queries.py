"""Settle unknown submissions by asking their gateways what they were given, by number and time.

A row proves its message only with our own reference in it. Where a gateway shows no reference, an
equal text proves it where nobody else sends on the account and nothing else of ours went to the
number around that time. It proves the whole submission only where the gateway takes or refuses a
call as a whole. That nothing is shown proves nothing: gateways do not say how soon they show it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.delivery import account_guard
from worker.delivery.account_guard import GuardedClient
from worker.domain import references
from worker.domain.enums import Outcome, SubmissionState
from worker.domain.errors import WireError
from worker.domain.message_ranges import MessageKey, joined
from worker.gateways import contents, reading
from worker.gateways.base import Account, SentQuery
from worker.gateways.results import Result, SentRow
from worker.gateways.transport import answer_bounds
from worker.gateways.transport.client import GatewayClient
from worker.store import events, ticks
from worker.store.db import database
from worker.store.delivery import (
    batch_split,
    outcomes,
    submission_details,
    submission_messages,
)
from worker.store.intake import requests
from worker.store.settlement import queries, unknown
from worker.store.settlement.queries import DoubtfulMessage, DoubtfulSubmission
from worker.store.templates import usable

#: How often an account with doubts asks, and how long one run may take, in seconds.
ASK_EVERY = 15.0
MAX_RUN_SECONDS = 30.0
#: How many calls one run makes at the most.
MAX_CALLS = 20
#: How many numbers of one submission are asked about in a run.
MAX_NUMBERS = 20
#: A submission is asked about again after so many seconds, then after four times as many, and so on
#: up to the longest pause.
FIRST_PAUSE = 60.0
MAX_PAUSE = 6 * 3600.0
#: For how long gateways show what they were given, in seconds: the shortest of those known.
SHOWN_SECONDS = 3 * 86400.0
#: Around a call: an equal text in this window may be that of another one.
WINDOW = timedelta(days=1)
#: With more submissions than this in the window nothing is proven by an equal text.
MAX_OTHERS = 1000
#: How many doubts are remembered to have been asked about; others may be asked about too soon.
MAX_REMEMBERED = 1000
#: The code of what a query proved.
QUERY_CODE = "query"


class QuerySettler:
    """Asks gateways about unknown submissions, and ends the doubts that their answers end."""

    def __init__(
        self, settings: Settings, engine: Engine, client: GatewayClient, owner: str
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._client = GuardedClient(settings, engine, client)
        self._owner = owner

    async def settle(self, account: Account) -> None:
        """Ask about an account's doubts, some calls in a run; each doubt after longer pauses."""
        calls, deadline = 0, time.monotonic() + MAX_RUN_SECONDS
        spacing = account.gateway.capabilities.query_spacing
        most = 1 if spacing else MAX_CALLS
        for doubtful in await asyncio.to_thread(self._due, account):
            if calls == most or time.monotonic() > deadline:
                return
            shown: dict[MessageKey, str | None] = {}
            whole = account.gateway.capabilities.takes_whole
            for message in doubtful.messages[: 1 if whole else MAX_NUMBERS]:
                if calls == most or time.monotonic() > deadline:
                    break
                calls += 1
                row = await self._ask(account, doubtful, message)
                if row is not None:
                    shown[message.key] = row.gateway_id
            await asyncio.to_thread(self._write, account, doubtful, shown)

    def _due(self, account: Account) -> list[DoubtfulSubmission]:
        """Return the doubts whose pause is over."""
        with database.reading(self._engine) as connection:
            asked = ticks.read_cursor(connection, _tick_name(account))
            now = datetime.now(UTC).timestamp()
            resting = [int(name) for name, (_, again_at) in asked.items() if again_at > now]
            return queries.doubtful_submissions(
                connection,
                account.name,
                older_than=account.settings.settling_delay,
                younger_than=SHOWN_SECONDS,
                limit=MAX_CALLS,
                skipped=resting,
            )

    async def _ask(
        self, account: Account, doubtful: DoubtfulSubmission, message: DoubtfulMessage
    ) -> SentRow | None:
        """Ask about one message; return the row that proves it, if there is one."""
        gateway = account.gateway
        query = SentQuery(message.msisdn, doubtful.called_at, doubtful.reference)
        rows: list[SentRow] = []
        for request in gateway.query_requests(query, datetime.now(UTC)):
            try:
                response = await self._client.send(account, request, answer_bounds.PAGE)
            except WireError:
                # Nothing is proven; it is asked again after its pause.
                return None
            page = reading.read_query(gateway, response)
            await asyncio.to_thread(self._note_answer, account, page.refusal)
            for row in page.items:
                is_about_it = row.msisdn == message.msisdn and row.reference and doubtful.reference
                if is_about_it and _is_ours(row.reference or "", doubtful.reference):
                    return row
            rows += page.items
        return await asyncio.to_thread(self._by_text, account, doubtful, message, rows)

    def _by_text(
        self,
        account: Account,
        doubtful: DoubtfulSubmission,
        message: DoubtfulMessage,
        rows: Sequence[SentRow],
    ) -> SentRow | None:
        """Return the row that proves a message by its text, where that can prove anything."""
        candidates = [
            row
            for row in rows
            if row.msisdn == message.msisdn and row.reference is None and row.text is not None
        ]
        if not candidates or not account.settings.sole_user:
            return None
        with database.reading(self._engine) as connection:
            others = queries.others_to_number(
                connection,
                self._settings.accounts_sharing_login(account.name),
                doubtful,
                message.msisdn,
                WINDOW,
                MAX_OTHERS,
            )
            if others is not False:
                return None
            text = _text_of(connection, account, doubtful, message.key)
        return next((row for row in candidates if row.text == text), None)

    def _note_answer(self, account: Account, refusal: Result | None) -> None:
        with database.writing(self._engine) as connection:
            account_guard.note_answer(
                connection, self._settings, account.name, refusal, self._owner
            )

    def _write(
        self,
        account: Account,
        doubtful: DoubtfulSubmission,
        shown: Mapping[MessageKey, str | None],
    ) -> None:
        """End a doubt as far as it is proven, and note when the rest is asked about again."""
        with database.writing(self._engine) as connection:
            if shown:
                self._end(connection, account, doubtful, shown)
            _note_asked(connection, account, doubtful.lease.id)

    def _end(
        self,
        connection: Connection,
        account: Account,
        doubtful: DoubtfulSubmission,
        shown: Mapping[MessageKey, str | None],
    ) -> None:
        lease, is_single = doubtful.lease, len(doubtful.messages) == 1
        whole = account.gateway.capabilities.takes_whole or len(shown) == len(doubtful.messages)
        accepted_id: int | None = lease.id
        if whole:
            gateway_id = next(iter(shown.values())) if is_single else None
            if not outcomes.accept(connection, lease.id, lease.fence, gateway_id):
                return
            unknown.withdraw_resend(connection, lease.id)
        else:
            accepted_id = self._part(connection, doubtful, shown)
        if accepted_id is None:
            return
        if not is_single and any(shown.values()):
            keys = sorted(shown)
            submission_details.keep_gateway_ids(
                connection,
                accepted_id,
                joined(keys),
                [shown[key] for key in keys],
                by_recipient=account.gateway.capabilities.reports_by_recipient,
            )
        events.add(
            connection,
            "submission.settled",
            self._owner,
            account=account.name,
            submission_id=lease.id,
            detail={"query": len(shown), "whole": whole},
        )

    def _part(
        self,
        connection: Connection,
        doubtful: DoubtfulSubmission,
        shown: Mapping[MessageKey, str | None],
    ) -> int | None:
        """Give proven messages an accepted submission of their own; return its id.

        The others stay unknown. None when the doubt has ended already.
        """
        lease = doubtful.lease
        if unknown.lock_unknown(connection, lease.id, lease.fence) is None:
            return None
        result = Result(Outcome.ACCEPTED, QUERY_CODE)
        accepted = batch_split.break_off(
            connection, lease, sorted(shown), SubmissionState.ACCEPTED, result
        )
        return accepted.id


def _is_ours(named: str, reference: str) -> bool:
    """Tell whether a reference names a submission: by itself, or by one of its messages."""
    return reference in (named, references.of_identity(named))


def _text_of(
    connection: Connection, account: Account, doubtful: DoubtfulSubmission, key: MessageKey
) -> str | None:
    """Return the whole text that a message had, as its gateway shows it; None if unknown."""
    request_id, n = key
    due_request = requests.by_id(connection, request_id)
    if due_request is None:
        return None
    content, rendering = due_request.content, None
    (values,) = submission_messages.variables_in(connection, request_id, n, n + 1)
    if doubtful.lease.binding_id is not None:
        rendering = usable.rendering_of(connection, doubtful.lease.binding_id)
        if rendering is None:
            return None
        content = contents.rendered(content, rendering, None if values else content.variables)
    content = contents.with_values(content, rendering, values)
    text = content.text if content.rendered else account.gateway.body(content)
    return account.settings.added_signature + text if not content.signature else text


def _tick_name(account: Account) -> str:
    return f"query:{account.name}"


def _note_asked(connection: Connection, account: Account, submission_id: int) -> None:
    """Note that a submission was asked about, and when it is again."""
    name = _tick_name(account)
    now = datetime.now(UTC).timestamp()
    stored = ticks.lock_cursor(connection, name)
    asked: dict[str, Any] = {
        known: entry for known, entry in stored.items() if entry[1] > now - MAX_PAUSE
    }
    for known in sorted(asked, key=lambda known: float(asked[known][1]))[:-MAX_REMEMBERED]:
        del asked[known]
    times, _ = asked.get(str(submission_id), (0, 0.0))
    pause = min(MAX_PAUSE, FIRST_PAUSE * 4.0**times)
    asked[str(submission_id)] = (times + 1, now + pause)
    ticks.write_cursor(connection, name, asked)
