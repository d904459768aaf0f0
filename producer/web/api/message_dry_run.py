"""Answers a dry run: what a call of POST /v1/messages would come to, without making it."""

from pydantic import BaseModel, Field

from producer.web.api.authentication import Caller
from producer.web.context import AppContext
from producer.web.problems import FieldError, field_errors
from worker.domain.enums import Scope
from worker.domain.errors import Refused
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.send_preview import AccountPreview, preview_request
from worker.store import accounts
from worker.store.accounts import AccountState
from worker.store.db import database


class CarryingAccount(BaseModel):
    """An account that can carry the text, and the billed parts of one message there."""

    name: str
    gateway: str
    segments: int
    held: bool


class DryRun(BaseModel):
    """What the same call without `dry_run` would come to."""

    messages: int = Field(description="How many would be stored: one for each different number.")
    segments: int = Field(description="Billed parts of one message, where it has the most.")
    held: bool = Field(
        description="True: each account that can carry it is held, so it would wait."
    )
    warnings: list[FieldError] = Field(description="What is doubtful about the text.")
    accounts: list[CarryingAccount] = Field(
        description="Those that can carry it, by priority; for keys that may `operate`, else empty."
    )


def answer(context: AppContext, caller: Caller, request: EnqueueRequest) -> DryRun:
    """Return what a request would come to; raises `Refused` as sending it does.

    The allowances for codes are neither asked nor taken from.
    """
    preview = preview_request(context.engine, context.settings, request)
    if preview.problems:
        raise Refused(preview.problems)
    with database.reading(context.engine) as connection:
        states = accounts.states(connection, context.settings.logins)
    carriers = [
        _carrying_account(carrier, states.get(carrier.account.name))
        for carrier in preview.accounts
        if not carrier.problems
    ]
    return DryRun(
        messages=preview.messages,
        segments=max(carrier.segments for carrier in carriers),
        held=all(carrier.held for carrier in carriers),
        warnings=field_errors(preview.warnings),
        accounts=carriers if caller.may(Scope.OPERATE) else [],
    )


def _carrying_account(carrier: AccountPreview, state: AccountState | None) -> CarryingAccount:
    return CarryingAccount(
        name=carrier.account.name,
        gateway=carrier.account.gateway.name,
        segments=carrier.segments,
        held=state is not None and state.held,
    )
