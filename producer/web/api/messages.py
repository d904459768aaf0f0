"""Messages: send, look up, take back."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from producer.web.api import enqueue, ownership, schemas
from producer.web.api.authentication import Allowed, Caller
from producer.web.context import AppContext, Context
from producer.web.problems import responses
from worker.domain import msisdn
from worker.domain.enums import MessageClass, MessageState, Scope
from worker.domain.errors import NotFound, Problem, Refused
from worker.intake import lookup
from worker.intake.enqueue import EnqueueRequest
from worker.store import sender_pages
from worker.store.db import database
from worker.store.sender_pages import Filters

router = APIRouter(prefix="/v1/messages", tags=["messages"])

Sender = Annotated[Caller, Depends(Allowed(Scope.SEND))]
Reader = Annotated[Caller, Depends(Allowed(Scope.READ))]
Id = Annotated[str, Path(max_length=40, examples=["17-0"])]


@router.post(
    "",
    status_code=202,
    summary="Send one text to one number or many",
    responses=responses(400, 401, 403, 408, 409, 413, 422, 429, 503),
)
async def send(
    request: Request,
    new: schemas.NewMessages,
    here: Context,
    caller: Sender,
    key: schemas.Key = None,
) -> schemas.Accepted:
    """Store messages, all or none: once this answers 202 they are in the database.

    Repeat a call that brought no answer, with its `Idempotency-Key`: it stays one request. A code
    (`otp`) is counted for its number, and for the `client` that you name: over the limit it is
    refused (429) before it costs anything.
    """
    to = [new.to] if isinstance(new.to, str) else new.to
    most = here.settings.top.web.max_recipients
    if len(to) > most:
        raise Refused([Problem("to", f"has {len(to)} numbers and may have {most}")])
    order = EnqueueRequest(to, key=key, **content(new), message_class=new.message_class)
    done = await enqueue.accept(request.app, here, caller, order, new.client)
    return schemas.Accepted(ids=list(done.ids), repeated=done.repeated)


def content(given: schemas.Content) -> dict[str, Any]:
    """Return what messages and campaigns have in common, as an order takes it."""
    return {name: getattr(given, name) for name in schemas.Content.model_fields}


@router.get(
    "",
    response_model=schemas.Messages,
    summary="Look for your messages",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def search(
    here: Context,
    caller: Reader,
    to: Annotated[str | None, Query(max_length=64, examples=["13800138000"])] = None,
    state: MessageState | None = None,
    account: Annotated[str | None, Query(max_length=64)] = None,
    message_class: Annotated[MessageClass | None, Query(alias="class")] = None,
    campaign: Annotated[int | None, Query(ge=1, le=ownership.MOST_ID)] = None,
    since: Annotated[schemas.Moment | None, Query(description="Stored at or after.")] = None,
    until: Annotated[schemas.Moment | None, Query(description="Stored before.")] = None,
    after: Annotated[str | None, Query(max_length=40, examples=["17-0"])] = None,
    limit: Annotated[int, Query(ge=1, le=schemas.MOST_ROWS)] = 50,
) -> Any:
    """Return your messages, the newest request first; those of a campaign only by its id."""
    filters = Filters(
        _number(to), state and state.value, account, message_class, campaign, since, until
    )
    return await here.run(_page, here, caller, filters, limit, after)


def _number(to: str | None) -> str | None:
    try:
        return to and msisdn.normalise(to)
    except ValueError as error:
        raise Refused([Problem("to", str(error))]) from None


def _page(
    here: AppContext, caller: Caller, filters: Filters, limit: int, after: str | None
) -> dict[str, Any]:
    try:
        past = lookup.parse_id(after) if after else None
    except NotFound as error:
        raise Refused([Problem("after", str(error))]) from None
    if filters.campaign is not None:
        ownership.check(here, caller, filters.campaign, f"campaign {filters.campaign}")
    with database.reading(here.engine) as connection:
        rows = sender_pages.messages(connection, caller.sender, filters, limit + 1, past)
    found = [lookup.message(row).as_json() for row in rows[:limit]]
    return {"messages": found, "after": found[-1]["id"] if len(rows) > limit else None}


@router.get(
    "/{message_id}",
    response_model=schemas.History,
    summary="Look at one of your messages",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def show(message_id: Id, here: Context, caller: Reader) -> Any:
    """Return a message as it stands, with its submissions and reports."""

    def look() -> dict[str, Any]:
        ownership.check_message(here, caller, message_id)
        return lookup.history(here.engine, message_id).as_json()

    return await here.run(look)


@router.post(
    "/{message_id}/cancel",
    response_model=schemas.Message,
    summary="Take a message back",
    responses=responses(401, 403, 404, 409, 422, 429, 503),
)
async def cancel(message_id: Id, here: Context, caller: Sender) -> Any:
    """Take a message back that was not handed over yet; 409 when it is too late."""

    def take_back() -> dict[str, Any]:
        ownership.check_message(here, caller, message_id)
        return lookup.cancel(here.engine, message_id).as_json()

    return await here.run(take_back)
