"""The JSON that comes in and goes out, with examples: what OpenAPI shows."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Header
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from producer.web.problems import FieldError
from worker.domain.enums import (
    CampaignState,
    MessageClass,
    MessageState,
    ReplyMeaning,
    ReportStatus,
    SubmissionState,
)
from worker.intake.enqueue import MAX_KEY_LENGTH
from worker.intake.value_rules import OddValue

#: No gateway carries texts as long as this.
MAX_TEXT_LENGTH = 10_000
#: Columns hold no more.
LONGEST_EXTENSION, LONGEST_TEMPLATE, LONGEST_ACCOUNT, LONGEST_CLIENT = 20, 64, 64, 128
MAX_NAME_LENGTH = 200
#: Rows in one page.
MAX_PAGE_ROWS = 500

#: Any text without NUL, which not every database holds and no handset shows.
Plain = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Number = Annotated[str, Field(max_length=64, examples=["13800138000"])]
Name = Annotated[str, Field(max_length=64)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY_LENGTH,
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        description="Makes it one request, however often the call is repeated.",
    ),
]


def _split(value: object) -> object:
    """Return the words of a form's field; JSON has a list."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


def _written(value: object) -> object:
    """Refuse numbers: seconds since 1970 are no time with a zone."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    msg = "write a time with its zone, as 2026-11-24T08:00:00+08:00"
    raise ValueError(msg)


def _in_range(moment: datetime) -> datetime:
    """Refuse what has no date in another time zone, or in a database."""
    if not EARLIEST_MOMENT <= moment < END_OF_MOMENTS:
        msg = f"write a time from {EARLIEST_MOMENT.year} to {END_OF_MOMENTS.year - 1}"
        raise ValueError(msg)
    return moment


_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]", re.ASCII)
EARLIEST_MOMENT, END_OF_MOMENTS = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_range)]
Time = Annotated[str, Field(examples=["2026-11-24T08:00:00.000000+00:00"])]


class Strict(BaseModel):
    """What comes in: unknown fields are refused, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid", str_max_length=MAX_TEXT_LENGTH)


class Content(Strict):
    """What messages and campaigns have in common."""

    text: Plain = Field("", examples=["【信使】您的订单已发货"])
    account: Plain | None = Field(
        None, max_length=LONGEST_ACCOUNT, description="Else one that serves the class is chosen."
    )
    not_before: Moment | None = Field(None, description="With a zone; else it is refused.")
    not_after: Moment | None = Field(None, description="Else the class decides.")
    extension: Plain | None = Field(None, max_length=LONGEST_EXTENSION)
    template: Plain | None = Field(None, max_length=LONGEST_TEMPLATE)
    variables: dict[Name, Plain] | None = Field(
        None, description="Values for {name} in the text, or for the template, in their order."
    )
    options: dict[Name, Any] | None = Field(None, description="What only one gateway knows.")
    callback_url: str | None = Field(
        None, max_length=2000, description="Is told what becomes of it."
    )


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
    client: Plain | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_CLIENT,
        description="Who asked you for the code: an address or a name. Its codes are counted, each"
        " number of a list as one.",
    )


class Accepted(BaseModel):
    """What was stored."""

    ids: list[str] = Field(
        description="One for each number in the order given.", examples=[["17-0"]]
    )
    repeated: bool = Field(description="True when the Idempotency-Key was used for this before.")
    warnings: list[FieldError] = Field(description="What is doubtful about the text; it is sent.")


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
    created_at: Time
    submitted_at: Time | None
    finished_at: Time | None
    closed_at: Time | None = Field(description="When its report was no longer awaited.")
    campaign: int | None


class Submission(BaseModel):
    """One request to a gateway that carried a message."""

    id: int
    account: str
    state: SubmissionState
    code: str | None
    words: str | None
    gateway_id: str | None
    called_at: Time | None
    answered_at: Time | None


class Report(BaseModel):
    """A delivery report."""

    status: ReportStatus
    code: str
    words: str | None
    reported_at: Time | None
    received_at: Time


class History(Message):
    """A message with what was tried and what was reported, in order."""

    submissions: list[Submission]
    reports: list[Report]


class Messages(BaseModel):
    """A page."""

    messages: list[Message]
    after: str | None = Field(description="Ask with it for the next page; null: there is none.")


class Row(Strict):
    """A recipient with values of its own for the text."""

    model_config = ConfigDict(extra="allow", str_max_length=MAX_TEXT_LENGTH)

    __pydantic_extra__: dict[str, Plain]
    msisdn: Number


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
                    "recipients": [{"msisdn": "13800138000", "name": "小明"}],
                }
            ]
        }
    )

    recipients: list[Number | Row]


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
    total: int
    states: dict[str, int] = Field(examples=[{"queued": 900, "submitted": 100}])
    left_out: dict[str, int] = Field(examples=[{"invalid": 1, "repeated": 2}])
    text: str | None = Field(description="As it is sent, or with {name}; null for a template.")
    segments: dict[str, int] = Field(
        description="How many texts have how many segments.", examples=[{"1": 900, "2": 100}]
    )
    samples: list[SampleText] = Field(description="The first three texts, where rows have values.")
    retry_of: int | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class BadRow(BaseModel):
    """A row that could not be taken."""

    row: str = Field(examples=["row 3"])
    what: str


class Campaigns(BaseModel):
    """A page."""

    campaigns: list[Campaign]
    before: int | None = Field(description="Ask with it for the next page; null: there is none.")


class Resumed(Strict):
    """How a campaign goes on."""

    until: Moment | None = Field(
        None,
        description="A new end of its validity.",
        examples=["2026-11-24T20:00:00+08:00"],
    )


class Inbound(BaseModel):
    """A text from a handset."""

    id: int
    account: str
    msisdn: str
    text: str
    extension: str | None
    service_number: str | None
    meaning: ReplyMeaning | None = Field(description="What it asks for; null: nothing of the kind.")
    answers: str | None = Field(
        description="The newest message of POST /v1/messages that it may answer.",
        examples=["17-0"],
    )
    received_at: Time | None
    stored_at: Time


class InboundMessages(BaseModel):
    """A page."""

    inbound: list[Inbound]
    before: int | None = Field(description="Ask with it for the next page; null: there is none.")
