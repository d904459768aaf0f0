"""The settings that every account has in the configuration, whatever its gateway.

Each gateway's own schema derives from `AccountSettings` and stands in that gateway's file.
"""

import re
from collections.abc import Mapping
from datetime import time
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, ClassVar, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from worker.domain.durations import Duration
from worker.domain.enums import MessageClass, Reports
from worker.domain.recipient_windows import Windows
from worker.domain.secret_fields import Secret
from worker.gateways.code_table import CodeMeaning, pattern_of

#: The form of a push token: it can stand in an address and cannot be guessed.
_PUSH_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")


class SendingHours(NamedTuple):
    """A daily span in Asia/Shanghai, from `start` to before `end`; all day if the two are equal."""

    start: time
    end: time

    def contains(self, time_of_day: time) -> bool:
        """Tell whether `time_of_day` lies in the span, which may pass midnight."""
        if self.start <= self.end:
            return self.start == self.end or self.start <= time_of_day < self.end
        return time_of_day >= self.start or time_of_day < self.end

    def __str__(self) -> str:
        """Return it as the configuration has it."""
        return "any" if self.start == self.end else f"{self.start:%H:%M}-{self.end:%H:%M}"


def _parse_sending_hours(value: object) -> object:
    """Read `"08:00-21:00"` or `"any"`; raise `ValueError` saying how it is written."""
    if isinstance(value, SendingHours):
        return value
    match = re.fullmatch(r"(\d\d?):(\d\d)\s*[-–]\s*(\d\d?):(\d\d)", str(value).strip())
    if value == "any":
        return SendingHours(time(), time())
    if match is None:
        msg = 'write sending hours as "08:00-21:00", or "any"'
        raise ValueError(msg)
    start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
    return SendingHours(time(start_hour, start_minute), time(end_hour % 24, end_minute))


class AccountSettings(BaseModel):
    """Credentials and settings at one gateway. Durations are in seconds once read."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    #: The most submissions under way that `concurrency` may allow.
    MAX_CONCURRENCY: ClassVar[int] = 1000

    #: The fastest pace that a limit per second may set.
    MAX_PER_SECOND: ClassVar[float] = 1_000_000

    #: The field that holds the login at the gateway; each gateway's own schema names it.
    LOGIN_FIELD: ClassVar[str] = ""

    #: The fields, beside the secrets, that change how the login is written on the wire.
    LOGIN_FORMAT_FIELDS: ClassVar[tuple[str, ...]] = ()

    gateway: str
    base_url: str
    #: The classes that the account serves unless a call names it; None means all.
    classes: frozenset[MessageClass] | None = None
    #: Accounts with a higher priority go first; among equals traffic is shared by weight.
    priority: int = 0
    weight: Annotated[float, Field(gt=0)] = 1.0
    #: The most messages in one submission, when fewer than the gateway allows.
    max_batch: Annotated[int, Field(ge=1)] | None = None
    #: The total deadline of one call to the gateway.
    timeout: Annotated[Duration, Field(gt=0, le=120)] = 10.0
    #: Submissions under way at the same time, over all processes.
    concurrency: Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)] = 8
    #: How many submissions, messages and segments may begin in a second, over all processes.
    #: None is no limit.
    submissions_per_second: Annotated[float, Field(gt=0, le=MAX_PER_SECOND)] | None = None
    messages_per_second: Annotated[float, Field(gt=0, le=MAX_PER_SECOND)] | None = None
    segments_per_second: Annotated[float, Field(gt=0, le=MAX_PER_SECOND)] | None = None
    #: How much more than these limits may reach the gateway in any second: as much as they allow
    #: in this time.
    burst: Annotated[Duration, Field(gt=0, le=10)] = 0.2
    #: The part of the limits that other classes leave to codes, and codes to them.
    otp_reserve: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    #: Whether an account with `concurrency` 1, that serves codes, takes batches of other classes
    #: too.
    batches_beside_otp: bool = False
    #: How often one number may be called through the account, over all processes.
    per_msisdn: Windows = ()
    #: How reports come; None means as the gateway offers: pull, else none.
    reports: Reports | None = None
    #: The tokens in the addresses that the gateway pushes to; two while they are changed.
    push_tokens: Annotated[tuple[Secret, ...], Field(max_length=2)] = ()
    #: The networks that pushes may come from; empty means anywhere.
    push_from: tuple[IPv4Network | IPv6Network, ...] = ()
    sending_hours: Annotated[SendingHours, BeforeValidator(_parse_sending_hours)] = SendingHours(
        time(8), time(21)
    )
    #: True when nobody else sends on the account: its counters may then prove "taken".
    sole_user: bool = False
    #: What one step of the account's sent counter is.
    counter_unit: Literal["segments", "messages"] = "segments"
    #: True when a refusal for one number is known to take none of the others.
    refusal_takes_none: bool = False
    #: How long after the last call the sent counter is believed.
    settling_delay: Annotated[Duration, Field(ge=0, le=3600)] = 60.0
    #: What the platform adds to each text, as 【name】: it counts in the segments.
    added_signature: str = ""
    collect_reports_every: Annotated[Duration, Field(gt=0)] = 30.0
    collect_inbound_every: Annotated[Duration, Field(gt=0)] = 60.0
    check_balance_every: Annotated[Duration, Field(gt=0)] = 600.0
    codes: Mapping[str, CodeMeaning] = Field(default_factory=dict)

    @field_validator("push_tokens", "push_from", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | Mapping) else value

    @field_validator("push_tokens")
    @classmethod
    def _check_push_tokens(cls, tokens: tuple[Secret, ...]) -> tuple[Secret, ...]:
        if not all(_PUSH_TOKEN.fullmatch(token.get_secret_value()) for token in tokens):
            msg = "is 20 to 100 letters, digits, - and _, by chance: `xinshi account push-url NAME`"
            raise ValueError(msg)
        return tokens

    @field_validator("base_url")
    @classmethod
    def _check_http_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = "write it with its scheme and host, as https://sms.example.com"
            raise ValueError(msg)
        if parts.query or parts.fragment or parts.username or parts.password:
            msg = "leave out the query, the fragment and any password: settings of their own exist"
            raise ValueError(msg)
        return url.rstrip("/")

    @field_validator("codes", mode="before")
    @classmethod
    def _expand_outcomes(cls, codes: Any) -> Any:
        if not isinstance(codes, Mapping):
            return codes
        for key in codes:
            pattern_of(key)
        return {
            key: {"outcome": meaning} if isinstance(meaning, str) else meaning
            for key, meaning in codes.items()
        }

    def serves(self, message_class: MessageClass) -> bool:
        """Tell whether traffic of a class may be routed here without naming the account."""
        return self.classes is None or message_class in self.classes
