"""The settings that every account has in the configuration, whatever its gateway.

Each gateway's own schema derives from `AccountSettings` and stands in that gateway's file.
"""

import re
from collections.abc import Mapping
from datetime import time
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from worker.domain import recipient_windows
from worker.domain.durations import Duration
from worker.domain.enums import MessageClass, Reports
from worker.domain.recipient_windows import Windows
from worker.domain.secret_fields import MissingSecret, Secret
from worker.domain.texts.rule_tables import ExtensionSignatures, TextTables
from worker.domain.texts.rules import TextRules
from worker.gateways.code_table import CodeMeaning, pattern_of
from worker.gateways.egress import (
    DIRECT,
    Egress,
    TlsVersion,
    check_server_name,
    parse_proxy,
    read_authorities,
)

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


def _over_general_tables(tables: TextTables, info: ValidationInfo) -> TextTables:
    """Return an account's rules for texts, with the general ones where it sets none."""
    general = (info.context or {}).get("texts", TextTables())
    return tables.over(general)


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

    #: What `per_msisdn` may name in place of limits: those that the vendor sets for one number.
    LIMIT_PRESETS: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    gateway: str
    base_url: str
    #: The HTTP proxy by which the gateway is reached, always through a tunnel.
    proxy: Secret | None = None
    #: The certificates of the authorities that are trusted in place of the public ones; written as
    #: the path of their file, and read with the configuration.
    ca_file: Annotated[str, BeforeValidator(read_authorities)] | None = None
    #: The name that the gateway's certificate has to bear, when it is not the address's.
    server_name: Annotated[str, AfterValidator(check_server_name)] | None = None
    #: The oldest version of TLS that is spoken with the gateway.
    tls_minimum: TlsVersion = "1.2"
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
    #: The rules for texts at this account; read with the general ones under them.
    texts: Annotated[TextTables, AfterValidator(_over_general_tables)] = Field(
        default=TextTables(), validate_default=True
    )
    #: The signature to which each extension belongs.
    extensions: ExtensionSignatures = Field(default_factory=dict)
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
        readable = [token for token in tokens if not isinstance(token, MissingSecret)]
        if not all(_PUSH_TOKEN.fullmatch(token.get_secret_value()) for token in readable):
            msg = "is 20 to 100 letters, digits, - and _, by chance: `xinshi account push-url NAME`"
            raise ValueError(msg)
        return tokens

    @field_validator("per_msisdn", mode="before")
    @classmethod
    def _expand_presets(cls, limits: Any) -> Any:
        return recipient_windows.with_presets(limits, cls.LIMIT_PRESETS)

    @field_validator("proxy")
    @classmethod
    def _check_proxy(cls, proxy: Secret | None) -> Secret | None:
        if proxy is not None and not isinstance(proxy, MissingSecret):
            parse_proxy(proxy.get_secret_value())
        return proxy

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

    @model_validator(mode="after")
    def _check_tls_is_used(self) -> Self:
        tls_keys = ("ca_file", "server_name", "tls_minimum")
        changed = [key for key in tls_keys if key in self.model_fields_set]
        if changed and not any(url.startswith("https:") for url in self.base_urls):
            msg = f"{changed[0]} is about TLS, and base_url is http://; write https:// or leave it"
            raise ValueError(msg)
        return self

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The addresses of the gateway, whatever their keys."""
        keys = (key for key in type(self).model_fields if key.endswith("base_url"))
        return tuple(url for key in keys if (url := getattr(self, key)) is not None)

    @cached_property
    def egress(self) -> Egress:
        """The way out of the account; that of all others where it sets nothing of its own."""
        if {"proxy", "ca_file", "server_name", "tls_minimum"}.isdisjoint(self.model_fields_set):
            return DIRECT
        proxy = None if self.proxy is None else parse_proxy(self.proxy.get_secret_value())
        return Egress(proxy, self.ca_file, self.server_name, self.tls_minimum)

    @cached_property
    def text_rules(self) -> Mapping[MessageClass, TextRules]:
        """The rules for texts of each class at this account."""
        return self.texts.rules_by_class(self.added_signature, self.extensions)

    def serves(self, message_class: MessageClass) -> bool:
        """Tell whether traffic of a class may be routed here without naming the account."""
        return self.classes is None or message_class in self.classes
