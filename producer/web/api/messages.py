"""Routes for messages: send, search, show, cancel."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse

from producer.waiting import wait_reasons, waits
from producer.web.api import enqueue, message_dry_run, ownership, schemas
from producer.web.api.api_route import ApiRoute
from producer.web.api.authentication import Caller, RequireScope
from producer.web.context import AppContext, Context
from producer.web.problems import field_errors, responses
from worker.domain import number_search
from worker.domain.enums import MessageClass, MessageState, Scope
from worker.domain.errors import NotFound, Problem, Refused
from worker.intake import lookup
from worker.intake.enqueue_request import EnqueueRequest
from worker.store import sender_pages
from worker.store.db import database
from worker.store.intake import campaign_numbers
from worker.store.sender_pages import MessageFilters

router = APIRouter(prefix="/v1/messages", tags=["messages"], route_class=ApiRoute)

Sender = Annotated[Caller, Depends(RequireScope(Scope.SEND))]
Reader = Annotated[Caller, Depends(RequireScope(Scope.READ))]
DryRunQuery = Annotated[
    bool, Query(description="Store and send nothing; answer 200 with what it would come to.")
]
MessageId = Annotated[str, Path(max_length=40, examples=["17-0"])]


@router.post(
    "",
    status_code=202,
    response_model=schemas.Accepted,
    summary="Send one text to one number or many",
    responses={
        200: {"model": message_dry_run.DryRun, "description": "A dry run: what it would come to."},
        **responses(400, 401, 403, 408, 409, 413, 422, 429, 503),
    },
)
async def send_message(
    request: Request,
    body: schemas.NewMessages,
    context: Context,
    caller: Sender,
    key: schemas.Key = None,
    dry_run: DryRunQuery = False,  # noqa: FBT002 - a query parameter has a default
) -> Any:
    """Store messages, all or none: once this answers 202 they are in the database.

    Repeat a call that brought no answer, with its `Idempotency-Key`: it stays one request. A code
    (`otp`) is counted for its number, and for the `client` that you name: over the limit it is
    refused (429) before it costs anything.
    """
    max_recipients = context.settings.top.web.max_recipients
    if len(body.to) > max_recipients:
        raise Refused([Problem("to", f"has {len(body.to)} numbers and may have {max_recipients}")])
    enqueue_request = EnqueueRequest(
        body.to, key=key, **content_of(body), message_class=body.message_class
    )
    if dry_run:
        enqueue_request = enqueue.with_sender(context, caller, enqueue_request)
        preview = await context.run(message_dry_run.answer, context, caller, enqueue_request)
        return JSONResponse(preview.model_dump())
    enqueued = await enqueue.accept(request.app, context, caller, enqueue_request, body.client)
    return schemas.Accepted(
        ids=list(enqueued.ids),
        repeated=enqueued.repeated,
        warnings=field_errors(enqueued.warnings),
    )


def content_of(body: schemas.Content) -> dict[str, Any]:
    """Return the fields that messages and campaigns share, as arguments of `EnqueueRequest`."""
    return {name: getattr(body, name) for name in schemas.Content.model_fields}


@router.get(
    "",
    response_model=schemas.Messages,
    summary="Look for your messages",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def list_messages(
    context: Context,
    caller: Reader,
    to: Annotated[str | None, Query(max_length=64, examples=["13800138000"])] = None,
    state: MessageState | None = None,
    account: Annotated[str | None, Query(max_length=64)] = None,
    message_class: Annotated[MessageClass | None, Query(alias="class")] = None,
    campaign: Annotated[int | None, Query(ge=1, le=ownership.MAX_ID)] = None,
    since: Annotated[schemas.Moment | None, Query(description="Stored at or after.")] = None,
    until: Annotated[schemas.Moment | None, Query(description="Stored before.")] = None,
    after: Annotated[str | None, Query(max_length=40, examples=["17-0"])] = None,
    limit: Annotated[int, Query(ge=1, le=schemas.MAX_PAGE_ROWS)] = 50,
) -> Any:
    """Return your messages, the newest request first; those of campaigns by number or by id."""
    filters = MessageFilters(
        _number(to), state and state.value, account, message_class, campaign, since, until
    )
    return await context.run(_page, context, caller, filters, limit, after)


def _number(to: str | None) -> str | None:
    try:
        return to and number_search.whole(to)
    except ValueError as error:
        raise Refused([Problem("to", str(error))]) from None


def _page(
    context: AppContext, caller: Caller, filters: MessageFilters, limit: int, after: str | None
) -> dict[str, Any]:
    try:
        cursor = lookup.parse_id(after) if after else None
    except NotFound as error:
        raise Refused([Problem("after", str(error))]) from None
    if filters.campaign is not None:
        ownership.check(context, caller, filters.campaign, f"campaign {filters.campaign}")
    with database.reading(context.engine) as connection:
        rows = sender_pages.messages(connection, caller.sender, filters, limit + 1, cursor)
        shown = lookup.messages_from_rows(connection, rows[:limit])
        unsearched_count = 0
        if filters.msisdn is not None and filters.campaign is None:
            unsearched_count = campaign_numbers.unsearched(connection, caller.sender).count
    messages = [message.as_json() for message in shown]
    return {
        "messages": messages,
        "after": messages[-1]["id"] if len(rows) > limit else None,
        "unsearched_campaigns": unsearched_count,
    }


@router.get(
    "/{message_id}",
    response_model=schemas.History,
    summary="Look at one of your messages",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def show_message(message_id: MessageId, context: Context, caller: Reader) -> Any:
    """Return a message as it stands, with its submissions and reports."""

    def read_history() -> dict[str, Any]:
        ownership.check_message(context, caller, message_id)
        history = lookup.history(context.engine, message_id)
        may_read_texts = caller.may(Scope.OPERATE)
        text = lookup.shown_text(context.engine, message_id) if may_read_texts else None
        reasons = waits.of_message(context.engine, context.settings, history.message)
        return history.as_json() | {"text": text, "waits_for": wait_reasons.as_json(reasons)}

    return await context.run(read_history)


@router.post(
    "/{message_id}/cancel",
    response_model=schemas.Message,
    summary="Take a message back",
    responses=responses(401, 403, 404, 409, 422, 429, 503),
)
async def cancel_message(message_id: MessageId, context: Context, caller: Sender) -> Any:
    """Take a message back that was not handed over yet; 409 when it is too late."""

    def take_back() -> dict[str, Any]:
        ownership.check_message(context, caller, message_id)
        return lookup.cancel(context.engine, message_id, who=caller.sender).as_json()

    return await context.run(take_back)
