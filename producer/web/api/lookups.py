"""Routes that read: inbound messages, accounts, balances."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from producer.web.api import account_schemas, ownership, schemas
from producer.web.api.api_route import ApiRoute
from producer.web.api.authentication import Caller, RequireScope
from producer.web.context import AppContext, Context
from producer.web.problems import responses
from worker.domain import number_search
from worker.domain.enums import MessageClass, Scope
from worker.domain.errors import Problem, Refused
from worker.gateways.base import Account
from worker.intake.lookup import iso_time
from worker.store import accounts
from worker.store.accounts import AccountState
from worker.store.db import database
from worker.store.feedback import inbound as replies
from worker.store.feedback.inbound import InboundFilter, InboundPage

router = APIRouter(prefix="/v1", route_class=ApiRoute)

Listener = Annotated[Caller, Depends(RequireScope(Scope.READ, Scope.INBOUND))]
Operator = Annotated[Caller, Depends(RequireScope(Scope.OPERATE))]
_COLUMNS = ("id", "account", "text", "extension", "service_number", "meaning", "answers")


@router.get(
    "/inbound",
    response_model=schemas.InboundMessages,
    tags=["inbound"],
    summary="Read what handsets sent",
    responses=responses(401, 403, 422, 429, 503),
)
async def list_inbound(
    context: Context,
    caller: Listener,
    sent_from: Annotated[str | None, Query(alias="from", max_length=64)] = None,
    account: Annotated[str | None, Query(max_length=64)] = None,
    since: Annotated[schemas.Moment | None, Query(description="Stored at or after.")] = None,
    before: Annotated[int | None, Query(ge=1, le=ownership.MAX_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=schemas.MAX_PAGE_ROWS)] = 50,
) -> Any:
    """Return replies with the message that each answers, the newest first; a page may be short.

    A key with `read` sees the replies to its sender's messages; one with `inbound` sees all, those
    to campaigns and those that answer nothing too. A test key sees those of the test account.
    """
    try:
        number = sent_from and number_search.whole(sent_from)
    except ValueError as error:
        raise Refused([Problem("from", str(error))]) from None
    names = visible_accounts(context, caller) & (
        {account} if account else visible_accounts(context, caller)
    )
    filters = InboundFilter(
        {name: context.settings.accounts_sharing_login(name) for name in names},
        None if caller.may(Scope.INBOUND) else caller.sender,
        number,
        since,
        before,
    )

    def read_page() -> InboundPage:
        with database.reading(context.engine) as connection:
            return replies.page(connection, filters, limit)

    page = await context.run(read_page)
    return {"inbound": [_inbound_fields(row) for row in page.rows], "before": page.before}


def visible_accounts(context: AppContext, caller: Caller) -> set[str]:
    """Return the accounts that a caller sees: the sandbox's with a test key, else the others."""
    sandbox = {context.settings.top.web.test_account} - {None}
    names = set(context.settings.accounts)
    return {str(name) for name in names & sandbox} if caller.test else names - sandbox


def _inbound_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    moments = {name: iso_time(row[name]) for name in ("received_at", "stored_at")}
    return {name: row[name] for name in _COLUMNS} | {"from": row["msisdn"]} | moments


@router.get(
    "/accounts",
    response_model=account_schemas.Accounts,
    tags=["accounts"],
    summary="See the accounts and their holds",
    responses=responses(401, 403, 422, 429, 503),
)
async def list_accounts(context: Context, caller: Operator) -> Any:
    """Return what each account serves, and whether it is held and why."""
    states = await context.run(_states, context)
    names = visible_accounts(context, caller)
    shown_accounts = [
        account for name, account in context.settings.accounts.items() if name in names
    ]
    return {
        "accounts": [
            _account_fields(account, states.get(account.name)) for account in shown_accounts
        ]
    }


@router.get(
    "/balance",
    response_model=account_schemas.Balances,
    tags=["accounts"],
    summary="See what is left",
    responses=responses(401, 403, 422, 429, 503),
)
async def list_balances(context: Context, caller: Operator) -> Any:
    """Return what each gateway said last; workers ask every `check_balance_every`."""
    states = await context.run(_states, context)
    names = [
        name for name in context.settings.accounts if name in visible_accounts(context, caller)
    ]
    return {"balances": [_balance_fields(name, states.get(name)) for name in names]}


def _states(context: AppContext) -> Mapping[str, AccountState]:
    with database.reading(context.engine) as connection:
        return accounts.states(connection, context.settings.logins)


def _account_fields(account: Account, state: AccountState | None) -> dict[str, Any]:
    held = state is not None and state.held
    reasons = (state.held_code, state.held_why) if state else ()
    return {
        "name": account.name,
        "gateway": account.gateway.name,
        "classes": [
            message_class
            for message_class in MessageClass
            if account.settings.serves(message_class)
        ],
        "reports": account.reports.value,
        "held": held,
        "why": " ".join(filter(None, reasons)) or None,
        "since": iso_time(state.held_since) if state else None,
        "until": iso_time(state.held_until) if state else None,
    }


def _balance_fields(name: str, state: AccountState | None) -> dict[str, Any]:
    last_balance = (state and state.balance) or {}
    return {
        "account": name,
        "pools": last_balance.get("pools", []),
        "sent": last_balance.get("sent"),
        "at": iso_time(state.balance_at) if state else None,
    }
