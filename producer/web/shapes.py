"""The JSON that comes in and goes out, with examples: what OpenAPI shows."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from worker.enqueuing import LONGEST_KEY
from worker.terms import MessageClass, MessageState

#: No gateway carries texts as long as this.
LONGEST_TEXT = 10_000
#: Columns hold no more.
LONGEST_EXTENSION, LONGEST_TEMPLATE, LONGEST_ACCOUNT, LONGEST_CLIENT = 20, 64, 64, 128

Number = Annotated[str, Field(max_length=64, examples=["13800138000"])]
Name = Annotated[str, Field(max_length=64)]


class Strict(BaseModel):
    """What comes in: unknown fields are refused, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid", str_max_length=LONGEST_TEXT)


class Content(Strict):
    """What messages and campaigns have in common."""

    text: str = Field("", examples=["【信使】您的订单已发货"])
    account: str | None = Field(
        None, max_length=LONGEST_ACCOUNT, description="Else one that serves the class is chosen."
    )
    not_before: AwareDatetime | None = Field(None, description="With a zone; else it is refused.")
    not_after: AwareDatetime | None = Field(None, description="Else the class decides.")
    extension: str | None = Field(None, max_length=LONGEST_EXTENSION)
    template: str | None = Field(None, max_length=LONGEST_TEMPLATE)
    variables: dict[Name, str] | None = Field(
        None, description="Values for {name} in the text, or for the template, in their order."
    )
    options: dict[Name, Any] | None = Field(None, description="What only one gateway knows.")


class NewMessages(Content):
    """One text to one number or many."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"to": "13800138000", "text": "【信使】您的订单已发货"},
                {
                    "to": ["13800138000", "13900000000"],
                    "text": "【信使】验证码 {code}",
                    "class": "otp",
                    "variables": {"code": "4711"},
                    "client": "203.0.113.7",
                },
            ]
        }
    )

    to: Number | list[Number]
    message_class: MessageClass = Field(MessageClass.NOTICE, alias="class")
    client: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_CLIENT,
        description="Who asked you for the code: an address or a name. Its codes are counted.",
    )


class Accepted(BaseModel):
    """What was stored."""

    ids: list[str] = Field(
        description="One for each number in the order given.", examples=[["17-0"]]
    )
    repeated: bool = Field(description="True when the Idempotency-Key was used for this before.")


class Message(BaseModel):
    """A message as it stands."""

    id: str = Field(examples=["17-0"])
    msisdn: str = Field(examples=["13800138000"])
    message_class: MessageClass = Field(alias="class")
    state: MessageState
    account: str | None
    code: str | None = Field(description="The gateway's own word.")
    code_text: str | None
    gateway_id: str | None
    segments: int | None = Field(description="Billed parts.")
    attempts: int
    created_at: str = Field(examples=["2026-11-24T08:00:00+00:00"])
    submitted_at: str | None
    finished_at: str | None
    closed_at: str | None = Field(description="When its report was no longer awaited.")
    campaign: int | None


KEY_LENGTH = LONGEST_KEY
