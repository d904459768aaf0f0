"""The JSON of campaigns that comes in and goes out: what OpenAPI shows."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from producer.web.api.schemas import (
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    Content,
    Moment,
    Number,
    Plain,
    Strict,
    Time,
    WaitReason,
)
from worker.domain.enums import CampaignState, MessageClass
from worker.intake.value_rules import OddValue


def _split(value: object) -> object:
    """Return the words of a form's field; JSON has a list."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


class Row(Strict):
    """A recipient with values of its own for the text."""

    model_config = ConfigDict(extra="allow", str_max_length=MAX_TEXT_LENGTH)

    __pydantic_extra__: dict[str, Plain]
    to: Number


def _as_row(value: object) -> object:
    """Return a number without values as a row."""
    if not isinstance(value, str | dict | Row):
        msg = "must be a number in quotes, or an object with `to` and its values"
        raise ValueError(msg)  # noqa: TRY004 - pydantic takes no other error for a value
    return {"to": value} if isinstance(value, str) else value


Recipient = Annotated[Row, BeforeValidator(_as_row, json_schema_input_type=Number | Row)]


class CampaignTerms(Content):
    """What a campaign is, without its recipients."""

    name: Plain = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    message_class: MessageClass = Field(
        MessageClass.MARKETING,
        alias="class",
        description="No campaign is of codes (otp): a code is for one person.",
    )
    start: bool = Field(default=True, description="Else it waits for …/start.")
    skip_bad: bool = Field(
        default=False, description="Leave bad rows out; else one keeps all waiting."
    )
    dry_run: bool = Field(
        default=False, description="Read all of it, say what it would be; store and send nothing."
    )
    allow: Annotated[list[OddValue], BeforeValidator(_split)] = Field(
        default=[],
        description="Odd values that make no row bad; in a form, with commas between them.",
    )


class NewCampaign(CampaignTerms):
    """One text to a list; for more than some thousand numbers upload a file."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "spring",
                    "text": "【信使】{name}，春装上新，回T退订",
                    "recipients": [{"to": "13800138000", "name": "小明"}],
                }
            ]
        }
    )

    recipients: list[Recipient]


class SampleText(BaseModel):
    """What one recipient reads."""

    row: int
    text: str


class Campaign(BaseModel):
    """A campaign as it stands; `states` sums up to `total`."""

    id: int
    name: str
    state: CampaignState
    message_class: MessageClass = Field(alias="class")
    account: str | None
    key: str | None = Field(description="The Idempotency-Key that it was loaded with.")
    metadata: dict[str, str] = Field(examples=[{"season": "spring"}])
    total: int
    states: dict[str, int] = Field(examples=[{"queued": 900, "submitted": 100}])
    left_out: dict[str, int] = Field(examples=[{"invalid": 1, "repeated": 2}])
    text: str | None = Field(description="As it is sent, or with {name}; null for a template.")
    segments: dict[str, int] = Field(
        description="How many texts have how many segments.", examples=[{"1": 900, "2": 100}]
    )
    samples: list[SampleText] = Field(description="The first three texts, where rows have values.")
    retry_of: int | None
    not_before: Time | None = Field(description="It is `scheduled` until then.")
    not_after: Time | None = Field(description="What waits then is `expired`.")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class ShownCampaign(Campaign):
    """A campaign as it stands, and why it does not move."""

    waits_for: list[WaitReason] = Field(description="Empty while it moves, and when it has ended.")


class BadRow(BaseModel):
    """A row that could not be taken."""

    row: str = Field(examples=["row 3"])
    what: str


class Campaigns(BaseModel):
    """A page."""

    campaigns: list[Campaign]
    before: int | None = Field(description="Ask with it for the next page; null: there is none.")


class Rescheduled(Strict):
    """When a campaign is sent instead."""

    not_before: Moment = Field(examples=["2026-11-29T10:00:00+08:00"])
    not_after: Moment | None = Field(
        None, description="The end of its validity; else that moves as far as the beginning."
    )


class Resumed(Strict):
    """How a campaign goes on."""

    until: Moment | None = Field(
        None,
        description="A new end of its validity.",
        examples=["2026-11-24T20:00:00+08:00"],
    )
