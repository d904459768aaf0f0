"""The pages of replies: inbound messages, and the conversation with one number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request
from sqlalchemy import Row
from starlette.responses import RedirectResponse, Response

from producer.web.context import AppContext, Context
from producer.web.pages import page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking, Operating
from worker.domain.enums import MessageClass
from worker.domain.errors import NotFound
from worker.feedback import reply_senders
from worker.store import message_search
from worker.store.db import database
from worker.store.feedback.inbound import find_reply, newest_replies
from worker.store.intake import requests

router = page_routes.router("/replies")

MAX_REPLIES = 100
#: What a person may do with a reply that is near to an opt-out.
_ACTS = ("opt-out", "dismiss")


@dataclass(frozen=True, slots=True)
class ConversationLine:
    """One message of a conversation; `text` is None where it may not be shown."""

    at: datetime
    ours: bool
    text: str | None
    account: str | None
    #: The state and id of a message that we sent.
    state: str | None = None
    message_id: str | None = None


@router.get("")
async def index(request: Request, context: Context, person: Looking) -> Response:
    """Draw the newest inbound messages."""
    replies = await context.run(_newest, context)
    return draw(request, "replies.html", person, replies=replies)


def _newest(context: AppContext) -> list[Row[Any]]:
    with database.reading(context.engine) as connection:
        return newest_replies(connection, MAX_REPLIES)


@router.get("/{inbound_id}")
async def conversation(
    request: Request, context: Context, person: Looking, inbound_id: page_routes.Id
) -> Response:
    """Draw the conversation with the number that an inbound message came from.

    The address holds the id of that message, and not the number.
    """
    msisdn, lines = await context.run(_conversation_lines, context, inbound_id)
    return draw(request, "conversation.html", person, msisdn=msisdn, lines=lines)


@router.post("/{inbound_id}/{act}")
async def decide(
    context: Context, inbound_id: page_routes.Id, act: str, person: Operating
) -> Response:
    """Opt out who wrote a reply that is near to that, or say that it asks for nothing."""
    if act not in _ACTS:
        msg = "a reply can be taken as an opt-out, or dismissed"
        raise NotFound(msg)
    await context.run(_decide, context, inbound_id, act, person.name)
    return RedirectResponse("/replies", 303)


def _decide(context: AppContext, inbound_id: int, act: str, who: str) -> None:
    with database.writing(context.engine) as connection:
        if act == "dismiss":
            reply_senders.dismiss(connection, inbound_id, who=who)
        else:
            reply_senders.opt_out_sender(connection, inbound_id, None, who=who)


def _conversation_lines(context: AppContext, inbound_id: int) -> tuple[str, list[ConversationLine]]:
    with database.reading(context.engine) as connection:
        start = find_reply(connection, inbound_id)
        if start is None:
            msg = "there is no such inbound message"
            raise NotFound(msg)
        received = [
            ConversationLine(
                row.received_at or row.stored_at, ours=False, text=row.text, account=row.account
            )
            for row in newest_replies(connection, MAX_REPLIES, msisdn=start.msisdn)
        ]
        sent_messages = message_search.search(connection, limit=MAX_REPLIES, msisdn=start.msisdn)
        texts = {}
        for request_id in {row.request_id for row in sent_messages}:
            sent_request = requests.by_id(connection, request_id)
            if sent_request and sent_request.message_class is not MessageClass.OTP:
                texts[request_id] = sent_request.content.text
    answered = [
        ConversationLine(
            row.created_at,
            ours=True,
            text=texts.get(row.request_id),
            account=row.account,
            state=row.state,
            message_id=row.id,
        )
        for row in sent_messages
    ]
    return start.msisdn, sorted(received + answered, key=lambda request_id: request_id.at)
