"""The JSON that callbacks are sent (`worker.feedback.callback_events`): what OpenAPI shows."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field

from producer.web.api import schemas
from producer.web.api.api_route import operation_id
from worker.domain.enums import MessageClass, MessageState

WebhookId = Annotated[
    str, Header(description="Stays the same however often an event is told.", examples=["evt_17"])
]
WebhookTimestamp = Annotated[
    str, Header(description="Seconds since 1970, when it was sent.", examples=["1795744990"])
]
WebhookSignature = Annotated[
    str, Header(description="As Standard Webhooks says, by the callback's secret.")
]


class UpdatedMessage(BaseModel):
    """A message as it was when its event was told."""

    id: str = Field(examples=["17-0"])
    message_class: MessageClass = Field(alias="class")
    state: MessageState
    account: str | None
    code: str | None = Field(description="The gateway's own word.")
    segments: int | None = Field(description="Billed parts.")
    key: str | None = Field(description="The Idempotency-Key that it was sent with.")
    metadata: dict[str, str] = Field(examples=[{"order": "1001"}])
    to: str = Field(examples=["13800138000"])
    submitted_at: schemas.Time | None
    finished_at: schemas.Time | None


class UpdatedMessages(BaseModel):
    """The messages of an event: at most 500."""

    messages: list[UpdatedMessage]


class MessagesUpdated(BaseModel):
    """Messages changed."""

    type: Literal["messages.updated"]
    timestamp: schemas.Time = Field(description="As of when; an older event changes nothing.")
    data: UpdatedMessages


class ReceivedReply(BaseModel):
    """A text from a handset."""

    id: int
    account: str
    sent_from: str = Field(alias="from", examples=["13800138000"])
    text: str
    extension: str | None
    answers: str | None = Field(
        description="The newest message of POST /v1/messages that it may answer.",
        examples=["17-0"],
    )
    received_at: schemas.Time | None


class InboundReceived(BaseModel):
    """A text came from a handset."""

    type: Literal["inbound.received"]
    timestamp: schemas.Time
    data: ReceivedReply


router = APIRouter(tags=["callbacks"], generate_unique_id_function=operation_id)
#: What every other answer than 2xx comes to.
_OTHER_ANSWERS: dict[int | str, dict[str, Any]] = {
    "default": {"description": "It is told again for a day, or parked until somebody replays it."}
}


@router.post(
    "messages.updated", status_code=204, summary="Messages changed", responses=_OTHER_ANSWERS
)
def on_messages_updated(
    body: MessagesUpdated,
    webhook_id: WebhookId,
    webhook_timestamp: WebhookTimestamp,
    webhook_signature: WebhookSignature,
) -> None:
    """Be told of messages as they are; answer 2xx within 10 seconds, or it is told again."""


@router.post(
    "inbound.received",
    status_code=204,
    summary="A text came from a handset",
    responses=_OTHER_ANSWERS,
)
def on_inbound_received(
    body: InboundReceived,
    webhook_id: WebhookId,
    webhook_timestamp: WebhookTimestamp,
    webhook_signature: WebhookSignature,
) -> None:
    """Be told of a reply, where the callback asked for these (`inbound`)."""
