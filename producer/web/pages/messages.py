"""The pages of messages: searched by number, state or account, and each with its history."""

from typing import Annotated, Any, NamedTuple

from fastapi import Form as Field
from fastapi import Request
from starlette.responses import RedirectResponse, Response

from producer.waiting import waits
from producer.waiting.wait_reasons import WaitCause
from producer.web.context import AppContext, Context
from producer.web.pages import page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking, Operating, check_origin
from worker.domain import number_search
from worker.domain.enums import MessageState
from worker.intake import lookup
from worker.intake.lookup import History

router = page_routes.router("/messages")

MAX_MESSAGES = 100


@router.get("")
async def index(
    request: Request, context: Context, person: Looking, state: str = "", account: str = ""
) -> Response:
    """Draw the newest single messages that fit."""
    filters = _filters(context, state, account)
    return await _draw_search(request, context, person, filters)


@router.post("")
async def search(
    request: Request,
    context: Context,
    person: Looking,
    number: Annotated[str, Field()] = "",
    state: Annotated[str, Field()] = "",
    account: Annotated[str, Field()] = "",
) -> Response:
    """Search by number, by a form, so that no address and no browser history holds the number."""
    check_origin(request)
    filters = _filters(context, state, account)
    problem = None
    if number.strip():
        try:
            filters["msisdn"] = number_search.whole(number)
        except ValueError as error:
            problem = str(error)
    return await _draw_search(request, context, person, filters, number, problem)


def _filters(context: AppContext, state: str, account: str) -> dict[str, Any]:
    valid = {"state": state in set(MessageState), "account": account in context.settings.accounts}
    filters = {"state": state, "account": account}
    return {name: filters[name] for name, fits in valid.items() if fits}


async def _draw_search(
    request: Request,
    context: AppContext,
    person: Looking,
    filters: dict[str, Any],
    number: str = "",
    problem: str | None = None,
) -> Response:
    messages = (
        [] if problem else await context.run(lookup.search, context.engine, MAX_MESSAGES, filters)
    )
    unsearched = await context.run(lookup.unsearched, context.engine, filters)
    return draw(
        request,
        "messages.html",
        person,
        messages=messages,
        number=number if person.operates else "",
        problem=problem,
        unsearched=unsearched,
        filters=filters,
        states=list(MessageState),
        accounts=list(context.settings.accounts),
    )


@router.get("/{message_id}")
async def show(request: Request, context: Context, person: Looking, message_id: str) -> Response:
    """Draw a message and its history."""
    facts = await context.run(_facts, context, message_id)
    shown_text = facts.text if person.operates else None
    return draw(
        request,
        "message.html",
        person,
        history=facts.history,
        message=facts.history.message,
        text=shown_text,
        waits_for=facts.waits_for,
    )


class _Facts(NamedTuple):
    """What the page of a message shows; the text of a code is shown to nobody."""

    history: History
    text: str | None
    waits_for: list[WaitCause]


def _facts(context: AppContext, message_id: str) -> _Facts:
    history = lookup.history(context.engine, message_id)
    return _Facts(
        history,
        lookup.shown_text(context.engine, message_id),
        waits.of_message(context.engine, context.settings, history.message),
    )


@router.post("/{message_id}/cancel")
async def cancel(context: Context, message_id: str, person: Operating) -> Response:
    """Cancel a message that has not been handed over to a gateway."""
    await context.run(lookup.cancel, context.engine, message_id, who=person.name)
    return RedirectResponse(f"/messages/{message_id}", 303)
