"""Replies: inbound messages, and the conversation with one number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request
from sqlalchemy import Row
from starlette.responses import Response

from producer.web.context import AppContext, Context
from producer.web.pages import page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking
from worker.domain.enums import MessageClass
from worker.domain.errors import NotFound
from worker.store import inbox, messages, requests
from worker.store.callbacks import inbound
from worker.store.db import database

router = page_routes.router("/replies")

MOST = 100


@dataclass(frozen=True, slots=True)
class ConversationLine:
    """One turn of a conversation. `text` is None where it is nobody's to read here."""

    at: datetime
    ours: bool
    text: str | None
    account: str | None
    #: The state and id of what we said.
    state: str | None = None
    message_id: str | None = None


@router.get("")
async def listed(request: Request, here: Context, who: Looking) -> Response:
    """Draw the newest inbound messages."""
    found = await here.run(_newest, here)
    return draw(request, "replies.html", who, replies=found)


def _newest(here: AppContext) -> list[Row[Any]]:
    with database.reading(here.engine) as connection:
        return inbox.inbound(connection, MOST)


@router.get("/{inbound_id}")
async def conversation(request: Request, here: Context, who: Looking, inbound_id: int) -> Response:
    """Draw all that was said with the number that an inbound message came from.

    By the message's id, so that no address holds the number.
    """
    msisdn, said = await here.run(_said, here, inbound_id)
    return draw(request, "conversation.html", who, msisdn=msisdn, said=said)


def _said(here: AppContext, inbound_id: int) -> tuple[str, list[ConversationLine]]:
    with database.reading(here.engine) as connection:
        start = inbound(connection, inbound_id)
        if start is None:
            msg = "there is no such inbound message"
            raise NotFound(msg)
        theirs = [
            ConversationLine(
                row.received_at or row.stored_at, ours=False, text=row.text, account=row.account
            )
            for row in inbox.inbound(connection, MOST, msisdn=start.msisdn)
        ]
        sent = messages.search(connection, limit=MOST, msisdn=start.msisdn)
        texts = {}
        for one in {row.request_id for row in sent}:
            its_request = requests.by_id(connection, one)
            if its_request and its_request.message_class is not MessageClass.OTP:
                texts[one] = its_request.content.text
    ours = [
        ConversationLine(
            row.created_at,
            ours=True,
            text=texts.get(row.request_id),
            account=row.account,
            state=row.state,
            message_id=row.id,
        )
        for row in sent
    ]
    return start.msisdn, sorted(theirs + ours, key=lambda one: one.at)
