"""The first page: the messages of the last hour, those that wait, and the accounts."""

from typing import Annotated, Any

from fastapi import Form as Field
from fastapi import Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from producer.web.context import AppContext, Context
from producer.web.pages import chart, page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking, Operating
from worker.delivery import class_stops, manual_hold
from worker.domain.enums import MessageClass
from worker.domain.errors import NotFound
from worker.store import accounts, throughput
from worker.store.accounts import AccountState
from worker.store.db import database
from worker.store.delivery import account_doubts, claims, stops

router = page_routes.router()


@router.get("/")
async def overview(request: Request, context: Context, person: Looking) -> Response:
    """Draw the page; its block `now` is drawn again every few seconds."""
    facts = await context.run(_facts, context)
    return draw(request, "overview.html", person, **facts)


def _facts(context: AppContext) -> dict[str, Any]:
    with database.reading(context.engine) as connection:
        hour = throughput.last_hour(connection)
        return {
            "hour": {name: sum(values) for name, values in hour.items()},
            "minutes": hour,
            "chart": chart.draw(hour),
            "waiting": throughput.waiting_by_class(connection),
            "accounts": _accounts(context, connection),
            "stops": stops.current(connection),
        }


def _accounts(context: AppContext, connection: Connection) -> list[dict[str, Any]]:
    states = accounts.states(connection, context.settings.logins)
    doubts = account_doubts.current_doubts(connection, context.settings.logins)
    under_way = claims.count_in_flight(connection)
    return [
        {
            "name": name,
            "gateway": account.gateway.name,
            "state": states.get(name, AccountState(name)),
            "doubt": doubts.get(name),
            "under_way": under_way.get(name, 0),
            "places": account.settings.concurrency,
        }
        for name, account in context.settings.accounts.items()
    ]


@router.post("/accounts/{name}/hold")
async def hold(
    name: str, context: Context, person: Operating, why: Annotated[str, Field()] = ""
) -> Response:
    """Hold an account until somebody releases it."""
    _check(context, name)
    await context.run(manual_hold.hold, context.engine, name, why.strip()[:200], person.name)
    return RedirectResponse("/", 303)


@router.post("/accounts/{name}/release")
async def release(
    request: Request,
    name: str,
    context: Context,
    person: Operating,
    sure: Annotated[bool, Field()] = False,  # noqa: FBT002 - a field of a form
) -> Response:
    """Release an account; asks again when its login was refused and is still the same."""
    _check(context, name)
    state = await context.run(_state, context, name)
    logins = await context.run(lambda: context.settings.logins)
    if manual_hold.is_refused_again(logins, state) and not sure:
        return draw(
            request, "release.html", person, state=state, same=logins.accounts_sharing(name)
        )
    await context.run(manual_hold.release, context.engine, state, person.name)
    return RedirectResponse("/", 303)


@router.post("/stop")
async def stop(
    request: Request,
    context: Context,
    person: Operating,
    classes: Annotated[list[MessageClass] | None, Field(alias="class")] = None,
    why: Annotated[str, Field()] = "",
) -> Response:
    """Stop classes; asks which, and why, when none is named."""
    if not classes:
        return draw(request, "stop.html", person, classes=list(MessageClass))
    reason = why.strip()[:200] or None
    await context.run(class_stops.stop, context.engine, classes, person.name, reason)
    return RedirectResponse("/", 303)


@router.post("/resume/{message_class}")
async def resume(message_class: MessageClass, context: Context, person: Operating) -> Response:
    """Let a class go on that was stopped."""
    await context.run(class_stops.resume, context.engine, [message_class], person.name)
    context.ring(message_class)
    return RedirectResponse("/", 303)


def _check(context: AppContext, name: str) -> None:
    if name not in context.settings.accounts:
        msg = "there is no such account"
        raise NotFound(msg)


def _state(context: AppContext, name: str) -> AccountState:
    with database.reading(context.engine) as connection:
        return accounts.states(connection, context.settings.logins).get(name, AccountState(name))
