"""The first page: what went through, what waits, how the accounts are."""

from typing import Annotated, Any

from fastapi import Form as Field
from fastapi import Request
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from producer.web.desk import Desk, Here
from producer.web.pages import chart, drawn
from producer.web.pages.drawing import draw
from producer.web.pages.signing import Looking, Operating
from worker import database
from worker.errors import NotFound
from worker.store import accounts, claims, events, rates
from worker.store.accounts import AccountState

router = drawn.router()

#: The code of a hold that a person made, as the command line writes it.
BY_HAND = "by hand"


@router.get("/")
async def overview(request: Request, here: Here, who: Looking) -> Response:
    """Draw the page; its block `now` is drawn again every few seconds."""
    facts = await here.run(_facts, here)
    return draw(request, "overview.html", who, **facts)


def _facts(here: Desk) -> dict[str, Any]:
    with database.reading(here.engine) as connection:
        hour = rates.last_hour(connection)
        return {
            "hour": {name: sum(values) for name, values in hour.items()},
            "minutes": hour,
            "chart": chart.draw(hour),
            "waiting": rates.waiting(connection),
            "accounts": _accounts(here, connection),
        }


def _accounts(here: Desk, connection: Connection) -> list[dict[str, Any]]:
    states = accounts.states(connection, here.settings.logins)
    doubts = accounts.doubtful(connection)
    under_way = claims.under_way(connection)
    return [
        {
            "name": name,
            "gateway": one.gateway.name,
            "state": states.get(name, AccountState(name)),
            "in_doubt": name in doubts,
            "under_way": under_way.get(name, 0),
            "places": one.settings.concurrency,
        }
        for name, one in here.settings.accounts.items()
    ]


@router.post("/accounts/{name}/{act}")
async def act(
    name: str, act: str, here: Here, who: Operating, why: Annotated[str, Field()] = ""
) -> Response:
    """Hold or release an account."""
    if name not in here.settings.accounts or act not in {"hold", "release"}:
        msg = "there is no such account"
        raise NotFound(msg)
    await here.run(_act, here, name, act, who.name, why[:200])
    return RedirectResponse("/", 303)


def _act(here: Desk, name: str, act: str, who: str, why: str) -> None:
    with database.writing(here.engine) as connection:
        released = accounts.release(connection, name)
        if act == "hold":
            accounts.hold(connection, name, BY_HAND, why, None)
            events.add(connection, "account.held", who, account=name, detail={"code": BY_HAND})
        elif released:
            events.add(connection, "account.released", who, account=name)
