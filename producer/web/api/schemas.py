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
from typing_extensions import TypeAliasType

from producer.waiting.wait_reasons import WaitKind
from producer.web.problems import FieldError
from worker.domain.enums import (
    MessageClass,
    MessageState,
    ReplyMeaning,
    ReportStatus,
    SubmissionState,
)
from worker.intake.label_rules import MAX_KEY_LENGTH, MAX_METADATA_ENTRIES

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
#: Types with names of their own in OpenAPI, which generated clients take over.
Variables = TypeAliasType("Variables", dict[Name, Plain])
Options = TypeAliasType("Options", dict[Name, Any])
Metadata = TypeAliasType(
    "Metadata", Annotated[dict[Name, Plain], Field(max_length=MAX_METADATA_ENTRIES)]
)
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
Time = Annotated[
    str,
    Field(examples=["2026-11-24T08:00:00.000000+00:00"], json_schema_extra={"format": "date-time"}),
]


def _as_list(value: object) -> object:
    """Return one number as a list of it."""
    if not isinstance(value, str | list):
        msg = "must be a number in quotes, or a list of numbers"
        raise ValueError(msg)  # noqa: TRY004 - pydantic takes no other error for a value
    return [value] if isinstance(value, str) else value


Numbers = Annotated[
    list[Number], BeforeValidator(_as_list, json_schema_input_type=Number | list[Number])
]


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
    template: Plain | None = Field(
        None,
        max_length=LONGEST_TEMPLATE,
        description="A registered template, in a text's place; with `account` a gateway's own too.",
    )
    variables: Variables | None = Field(
        None, description="Values for {name} in the text, or for the template, in their order."
    )
    options: Options | None = Field(None, description="What only one gateway knows.")
    callback_url: str | None = Field(
        None, max_length=2000, description="Is told what becomes of it."
    )
    metadata: Metadata | None = Field(
        None,
        description="What answers, callbacks and exports say again; 1 KB in all.",
        examples=[{"order": "1001"}],
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

    to: Numbers
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
    to: str = Field(examples=["13800138000"])
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
    key: str | None = Field(description="The Idempotency-Key that it was sent with.")
    metadata: dict[str, str] = Field(examples=[{"order": "1001"}])


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


class WaitReason(BaseModel):
    """A reason why something waits."""

    kind: WaitKind
    account: str | None = Field(description="The account that it is about.")
    until: Time | None = Field(description="When it ends by itself, where that is known.")
    what: str = Field(examples=["not before 2026-11-28 08:00:00"])


class History(Message):
    """A message with what was tried and what was reported, in order."""

    text: str | None = Field(
        description="For keys that may `operate`; never a code's (otp), which nobody is shown."
    )
    waits_for: list[WaitReason] = Field(description="Why it waits, while it is queued.")
    submissions: list[Submission]
    reports: list[Report]


class Messages(BaseModel):
    """A page."""

    messages: list[Message]
    after: str | None = Field(description="Ask with it for the next page; null: there is none.")
    unsearched_campaigns: int = Field(
        default=0,
        description="With `to`: how many of your campaigns (100: or more) are not searched yet;"
        " one is some minutes after it was loaded.",
    )


class Inbound(BaseModel):
    """A text from a handset."""

    id: int
    account: str
    sent_from: str = Field(alias="from", examples=["13800138000"])
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
