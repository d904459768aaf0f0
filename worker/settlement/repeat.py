"""Settle unknown submissions by repeating them under their reference.

Only for accounts whose settings say that the gateway takes a reference once: a repetition is then
the same submission as before, and what was taken is not taken twice.
"""

import asyncio
from functools import partial

import httpx
from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.delivery import account_guard, submit
from worker.delivery.account_guard import GuardedClient
from worker.delivery.submit import PreparedSubmission
from worker.domain.enums import Outcome
from worker.gateways.base import Account
from worker.gateways.egress import Egress
from worker.gateways.results import Result
from worker.gateways.transport.answer_bounds import AnswerBound
from worker.gateways.transport.client import GatewayClient
from worker.store import events
from worker.store.db import database
from worker.store.delivery import outcomes
from worker.store.settlement import unknown

#: The most submissions of an account that are repeated in one run.
MAX_REPEATED = 20


class RepeatSettler:
    """Sends unknown submissions again under their reference, where that makes them the same."""

    def __init__(
        self, settings: Settings, engine: Engine, client: GatewayClient, owner: str
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._client = GuardedClient(settings, engine, client)
        self._owner = owner

    async def repeat(self, account: Account) -> None:
        """Repeat an account's unknown submissions that are still valid, one after the other.

        The first that is not accepted ends the run.
        """
        for prepared in await asyncio.to_thread(self._prepare, account):
            answer = await submit.call_gateway(
                prepared, partial(self._send, account), self._settings
            )
            results = [answer.results.default, *answer.results.per_recipient.values()]
            refusals = [result for result in results if result.outcome is not Outcome.ACCEPTED]
            if refusals:
                await asyncio.to_thread(self._note_refusal, account, refusals[0])
                return
            await asyncio.to_thread(self._accept, prepared, results[0].gateway_id)

    async def _send(
        self,
        account: Account,
        request: httpx.Request,
        _seconds: float,
        bound: AnswerBound,
        _egress: Egress,
    ) -> httpx.Response:
        """Send a call as `submit.Send` does; the client takes deadline and way from the account."""
        return await self._client.send(account, request, bound)

    def _note_refusal(self, account: Account, refusal: Result) -> None:
        with database.writing(self._engine) as connection:
            account_guard.note_answer(
                connection, self._settings, account.name, refusal, self._owner
            )

    def _prepare(self, account: Account) -> list[PreparedSubmission]:
        with database.reading(self._engine) as connection:
            leases = unknown.repeatable(connection, account.name, limit=MAX_REPEATED)
            prepared = [
                submit.prepare_repeat(connection, self._settings, lease) for lease in leases
            ]
        return [submission for submission in prepared if submission is not None]

    def _accept(self, prepared: PreparedSubmission, gateway_id: str | None) -> None:
        with database.writing(self._engine) as connection:
            lease = prepared.lease
            if outcomes.accept(connection, lease.id, lease.fence, gateway_id):
                unknown.withdraw_resend(connection, lease.id)
                events.add(
                    connection,
                    "submission.settled",
                    self._owner,
                    account=lease.account,
                    submission_id=lease.id,
                    detail={"reference": "repeated"},
                )
