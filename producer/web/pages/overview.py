"""The first page: what went through, what waits, how the accounts are."""

from typing import Annotated, Any

from fastapi import Form as Field
from fastapi import Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from producer.web.context import AppContext, Context
from producer.web.pages import chart, page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking, Operating
from worker.delivery import manual_hold
from worker.domain.errors import NotFound
from worker.store import accounts, claims, throughput
from worker.store.accounts import AccountState
from worker.store.db import database

router = page_routes.router()


@router.get("/")
async def overview(request: Request, here: Context, who: Looking) -> Response:
    """Draw the page; its block `now` is drawn again every few seconds."""
    facts = await here.run(_facts, here)
    return draw(request, "overview.html", who, **facts)


def _facts(here: AppContext) -> dict[str, Any]:
    with database.reading(here.engine) as connection:
        hour = throughput.last_hour(connection)
        return {
            "hour": {name: sum(values) for name, values in hour.items()},
            "minutes": hour,
            "chart": chart.draw(hour),
            "waiting": throughput.waiting(connection),
            "accounts": _accounts(here, connection),
        }


def _accounts(here: AppContext, connection: Connection) -> list[dict[str, Any]]:
    states = accounts.states(connection, here.settings.logins)
    doubts = accounts.doubtful(connection, here.settings.logins)
    under_way = claims.under_way(connection)
    return [
        {
            "name": name,
            "gateway": one.gateway.name,
            "state": states.get(name, AccountState(name)),
            "doubt": doubts.get(name),
            "under_way": under_way.get(name, 0),
            "places": one.settings.concurrency,
        }
        for name, one in here.settings.accounts.items()
    ]


@router.post("/accounts/{name}/hold")
async def hold(
    name: str, here: Context, who: Operating, why: Annotated[str, Field()] = ""
) -> Response:
    """Hold an account until somebody releases it."""
    _check(here, name)
    await here.run(manual_hold.hold, here.engine, name, why.strip()[:200], who.name)
    return RedirectResponse("/", 303)


@router.post("/accounts/{name}/release")
async def release(
    request: Request,
    name: str,
    here: Context,
    who: Operating,
    sure: Annotated[bool, Field()] = False,  # noqa: FBT002 - a field of a form
) -> Response:
    """Let an account go on; asks back when its login was refused and is still the same."""
    _check(here, name)
    state = await here.run(_state, here, name)
    logins = await here.run(lambda: here.settings.logins)
    if manual_hold.is_refused_again(logins, state) and not sure:
        return draw(request, "release.html", who, state=state, same=logins.same(name))
    await here.run(manual_hold.release, here.engine, logins, state, who.name)
    return RedirectResponse("/", 303)


def _check(here: AppContext, name: str) -> None:
    if name not in here.settings.accounts:
        msg = "there is no such account"
        raise NotFound(msg)


def _state(here: AppContext, name: str) -> AccountState:
    with database.reading(here.engine) as connection:
        return accounts.states(connection, here.settings.logins).get(name, AccountState(name))
