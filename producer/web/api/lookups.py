"""What comes back and what is known: inbound messages, accounts, balances."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import RowMapping

from producer.web.api import ownership, schemas
from producer.web.api.authentication import Allowed, Caller
from producer.web.context import AppContext, Context
from producer.web.problems import responses
from worker.domain import msisdn
from worker.domain.enums import MessageClass, Scope
from worker.domain.errors import Problem, Refused
from worker.gateways.base import Account
from worker.intake.lookup import stamp
from worker.store import accounts
from worker.store import inbound as replies
from worker.store.accounts import AccountState
from worker.store.db import database
from worker.store.inbound import InboundFilter, Page

router = APIRouter(prefix="/v1")

Listener = Annotated[Caller, Depends(Allowed(Scope.READ, Scope.INBOUND))]
Operator = Annotated[Caller, Depends(Allowed(Scope.OPERATE))]
_COLUMNS = ("id", "account", "msisdn", "text", "extension", "service_number", "answers")


@router.get(
    "/inbound",
    response_model=schemas.InboundMessages,
    tags=["inbound"],
    summary="Read what handsets sent",
    responses=responses(401, 403, 422, 429, 503),
)
async def inbound(
    here: Context,
    caller: Listener,
    sent_from: Annotated[str | None, Query(alias="from", max_length=64)] = None,
    account: Annotated[str | None, Query(max_length=64)] = None,
    since: Annotated[schemas.Moment | None, Query(description="Stored at or after.")] = None,
    before: Annotated[int | None, Query(ge=1, le=ownership.MOST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=schemas.MOST_ROWS)] = 50,
) -> Any:
    """Return replies with the message that each answers, the newest first; a page may be short.

    A key with `read` sees the replies to its sender's messages; one with `inbound` sees all, those
    to campaigns and those that answer nothing too. A test key sees those of the test account.
    """
    try:
        number = sent_from and msisdn.normalise(sent_from)
    except ValueError as error:
        raise Refused([Problem("from", str(error))]) from None
    names = visible(here, caller) & ({account} if account else visible(here, caller))
    wanted = InboundFilter(
        {one: here.settings.sharing(one) for one in names},
        None if caller.may(Scope.INBOUND) else caller.sender,
        number,
        since,
        before,
    )

    def look() -> Page:
        with database.reading(here.engine) as connection:
            return replies.page(connection, wanted, limit)

    found = await here.run(look)
    return {"inbound": [_inbound(row) for row in found.rows], "before": found.before}


def visible(here: AppContext, caller: Caller) -> set[str]:
    """Return the accounts that a caller sees: the sandbox's with a test key, else the others."""
    sandbox = {here.settings.top.web.test_account} - {None}
    names = set(here.settings.accounts)
    return {str(one) for one in names & sandbox} if caller.test else names - sandbox


def _inbound(row: RowMapping) -> dict[str, Any]:
    moments = {name: stamp(row[name]) for name in ("received_at", "stored_at")}
    return {name: row[name] for name in _COLUMNS} | moments


@router.get(
    "/accounts",
    response_model=schemas.Accounts,
    tags=["accounts"],
    summary="See the accounts and their holds",
    responses=responses(401, 403, 429, 503),
)
async def listed(here: Context, caller: Operator) -> Any:
    """Return what each account serves, and whether it is held and why."""
    states = await here.run(_states, here)
    names = visible(here, caller)
    found = [one for name, one in here.settings.accounts.items() if name in names]
    return {"accounts": [_account(one, states.get(one.name)) for one in found]}


@router.get(
    "/balance",
    response_model=schemas.Balances,
    tags=["accounts"],
    summary="See what is left",
    responses=responses(401, 403, 429, 503),
)
async def balance(here: Context, caller: Operator) -> Any:
    """Return what each gateway said last; workers ask every `check_balance_every`."""
    states = await here.run(_states, here)
    names = [name for name in here.settings.accounts if name in visible(here, caller)]
    return {"balances": [_balance(name, states.get(name)) for name in names]}


def _states(here: AppContext) -> Mapping[str, AccountState]:
    with database.reading(here.engine) as connection:
        return accounts.states(connection, here.settings.logins)


def _account(account: Account, state: AccountState | None) -> dict[str, Any]:
    held = state is not None and state.held
    said = (state.held_code, state.held_why) if state else ()
    return {
        "name": account.name,
        "gateway": account.gateway.name,
        "classes": [one for one in MessageClass if account.settings.serves(one)],
        "reports": account.reports.value,
        "held": held,
        "why": " ".join(filter(None, said)) or None,
        "since": stamp(state.held_since) if state else None,
        "until": stamp(state.held_until) if state else None,
    }


def _balance(name: str, state: AccountState | None) -> dict[str, Any]:
    said = (state and state.balance) or {}
    return {
        "account": name,
        "pools": said.get("pools", []),
        "sent": said.get("sent"),
        "at": stamp(state.balance_at) if state else None,
    }
