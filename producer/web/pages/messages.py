"""Messages: found by number, state or account, and each with all that happened to it."""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi import Form as Field
from starlette.responses import RedirectResponse, Response

from producer.web.context import AppContext, Context
from producer.web.pages import page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking, operator, own_origin
from worker.domain import msisdn as numbers
from worker.domain.enums import MessageClass, MessageState
from worker.intake import lookup
from worker.intake.lookup import History
from worker.store import requests
from worker.store.db import database

router = page_routes.router("/messages")

MOST = 100


@router.get("")
async def listed(
    request: Request, here: Context, who: Looking, state: str = "", account: str = ""
) -> Response:
    """Draw the newest single messages that fit."""
    filters = _filters(here, state, account)
    return await _found(request, here, who, filters)


@router.post("")
async def search(
    request: Request,
    here: Context,
    who: Looking,
    number: Annotated[str, Field()] = "",
    state: Annotated[str, Field()] = "",
    account: Annotated[str, Field()] = "",
) -> Response:
    """Find by number: by a form, so that no address and no history of a browser holds it."""
    own_origin(request)
    filters = _filters(here, state, account)
    problem = None
    if number.strip():
        try:
            filters["msisdn"] = numbers.normalise(number)
        except ValueError as error:
            problem = str(error)
    return await _found(request, here, who, filters, number, problem)


def _filters(here: AppContext, state: str, account: str) -> dict[str, Any]:
    known = {"state": state in set(MessageState), "account": account in here.settings.accounts}
    given = {"state": state, "account": account}
    return {name: given[name] for name, fits in known.items() if fits}


async def _found(
    request: Request,
    here: AppContext,
    who: Looking,
    filters: dict[str, Any],
    number: str = "",
    problem: str | None = None,
) -> Response:
    found = [] if problem else await here.run(lookup.search, here.engine, MOST, filters)
    return draw(
        request,
        "messages.html",
        who,
        messages=found,
        number=number if who.operates else "",
        problem=problem,
        filters=filters,
        states=list(MessageState),
        accounts=list(here.settings.accounts),
    )


@router.get("/{message_id}")
async def one(request: Request, here: Context, who: Looking, message_id: str) -> Response:
    """Draw a message and its history."""
    found, text = await here.run(_one, here, message_id)
    shown = text if who.operates else None
    return draw(request, "message.html", who, found=found, message=found.message, text=shown)


def _one(here: AppContext, message_id: str) -> tuple[History, str | None]:
    """Return a message with its text; the text of a code is nobody's to read here."""
    found = lookup.history(here.engine, message_id)
    if found.message.message_class is MessageClass.OTP:
        return found, None
    request_id, _ = lookup.parse_id(message_id)
    with database.reading(here.engine) as connection:
        row = requests.by_id(connection, request_id)
    return found, row.content.text if row else None


@router.post("/{message_id}/cancel", dependencies=[Depends(operator)])
async def cancel(here: Context, message_id: str) -> Response:
    """Take a message back, unless it was handed over."""
    await here.run(lookup.cancel, here.engine, message_id)
    return RedirectResponse(f"/messages/{message_id}", 303)
