"""Defines what a gateway is: the protocol of one upstream service, as pure functions.

A gateway turns messages into an `httpx.Request` and an `httpx.Response` into values. It neither
sends, sleeps, logs, retries, nor reads the clock or the environment: time comes in as an argument.
Each gateway is one module in `worker.gateways.adapters`, with its code table in `codes/` beside it;
no other module knows its name. All gateways run through one conformance suite, `tests/gateways/`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import httpx

from worker.domain import placeholders, references
from worker.domain.enums import NumberKind, Reports
from worker.domain.errors import Problem
from worker.domain.renderings import Rendering
from worker.gateways.account_settings import AccountSettings
from worker.gateways.code_table import CodeTable
from worker.gateways.results import (
    Balance,
    InboundMessage,
    Page,
    PushContents,
    Report,
    Result,
    Results,
    SentCount,
    SentRow,
)


@dataclass(frozen=True, slots=True)
class Content:
    """The content that all messages of one submission share.

    `text` is the whole text, or what a template mode takes in its place; `options` are settings of
    the message that only one gateway knows, checked by `Gateway.problems`. Where a template is
    rendered, `template` is the vendor's id of it, and `signature` the name that goes beside it.
    """

    text: str
    extension: str | None = None
    template: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    #: The signature of a rendering, without 【】, and what the vendor calls it.
    signature: str | None = None
    signature_id: str | None = None
    #: True where `text` is the whole text of a rendered template, whatever goes on the wire.
    rendered: bool = False


class Recipient(NamedTuple):
    """A recipient of a submission as an adapter sees it."""

    msisdn: str
    #: The values of its message: by the vendor's names and in the vendor's order where a template
    #: is rendered, else by the names in the text.
    values: Mapping[str, str]
    #: The whole text that it will read.
    text: str
    #: Ours, and no other message's: 32 lower-case hex digits.
    identity: str


@dataclass(frozen=True, slots=True)
class OutgoingSubmission:
    """The messages of one submission as an adapter sees them.

    `msisdns` holds 1 to the batch cap numbers, each once; `reference` is ours and unique, 32
    lower-case hex digits, for gateways that take one. Where the messages differ in their values,
    `content.text` still has the placeholders, and `values` has each message's own, in the order of
    the numbers: only accounts whose `Capabilities.personal_cap` is above 1 are given such.
    """

    msisdns: tuple[str, ...]
    content: Content
    reference: str
    #: The values of each message, by the names in the text; () where all share the content.
    values: tuple[Mapping[str, str], ...] = ()
    #: The template's rendering; None where the content has none, or a gateway's own template.
    rendering: Rendering | None = None

    def text_at(self, position: int) -> str:
        """Return the whole text of the message at a position."""
        if not self.values:
            return self.content.text
        return placeholders.fill(self.content.text, self.values[position])

    def values_at(self, position: int) -> Mapping[str, str]:
        """Return the values of the message at a position, as `Recipient.values` has them."""
        if not self.values:
            return self.content.variables
        if self.rendering is None:
            return self.values[position]
        return self.rendering.parameters(self.values[position])

    def recipients(self) -> Iterator[Recipient]:
        """Yield the recipients, in the order of the numbers."""
        for position, msisdn in enumerate(self.msisdns):
            identity = references.identity(self.reference, position)
            yield Recipient(msisdn, self.values_at(position), self.text_at(position), identity)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The abilities and limits of an account. Lengths are in characters of the whole text."""

    batch_cap: int
    #: The most messages with values of their own that one submission may carry.
    personal_cap: int = 1
    charset: str = "utf-8"
    longest: int | None = None
    kinds: frozenset[NumberKind] = frozenset({NumberKind.MOBILE})
    emoji: bool = True
    extension: bool = False
    #: True where submissions carry a reference of ours.
    reference: bool = False
    #: True where a submission whose reference is sent again is taken only once.
    repeatable: bool = False
    templates: bool = False
    #: False where nothing but templates is taken.
    texts: bool = True
    #: True where reports name a message by the gateway's id of it, and by nothing else of ours or
    #: of the call.
    reports_by_recipient: bool = False
    #: Ways in which reports can reach us; empty where the gateway has none.
    reports: frozenset[Reports] = frozenset()
    inbound: bool = False
    balance: bool = False
    sent_count: bool = False
    #: True where the gateway can be asked what it was given, by number and time.
    query: bool = False
    #: Seconds that have to lie between two such calls.
    query_spacing: float = 0.0
    #: True where the gateway takes a call as a whole or not at all: one message of it proves all.
    takes_whole: bool = False
    #: True where the gateway tells hours apart and a read by hour can be repeated.
    inbound_by_hour: bool = False
    #: Seconds that have to lie between two reads of inbound messages.
    inbound_spacing: float = 0.0


class SentQuery(NamedTuple):
    """What a gateway is asked about a message of which nobody knows whether it was taken."""

    msisdn: str
    #: When its submission was written ahead, aware.
    called_at: datetime
    #: The reference that its submission carried; "" where it had none.
    reference: str


class Gateway(ABC):
    """One account at a gateway: its settings and its code table, and nothing that changes.

    Subclasses set `name`, `Settings` and `codes`, and implement the two halves of submitting; the
    other pairs of request and reader default to "this gateway cannot". A request method returns
    None when the gateway has no such call.
    """

    #: The word that a configuration writes in `gateway = "…"`.
    name: ClassVar[str]
    #: The schema of an account at this gateway.
    Settings: ClassVar[type[AccountSettings]]
    #: `code → meaning → source`, from the data file beside the module.
    codes: ClassVar[CodeTable]

    def __init__(self, settings: AccountSettings) -> None:
        self.settings = settings
        self.table = self.codes.with_overrides(settings.codes)

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this account can carry, with its settings taken into account."""

    def problems(self, content: Content) -> list[Problem]:
        """Return why this account cannot carry `content`, each with what to do; [] if it can.

        The charset, the length and what `Capabilities` states are checked by the caller for all
        gateways alike. A gateway adds the checks that only it knows: its `options`, its templates,
        the form of its extensions.
        """
        return [Problem(f"options.{key}", f"is unknown at {self.name}") for key in content.options]

    def body(self, content: Content) -> str:
        """Return the text as this gateway is sent it: it is what is encoded and counted."""
        return content.text

    @abstractmethod
    def submit_request(self, submission: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build the request that submits `submission`, as of `at` (aware)."""

    @abstractmethod
    def read_results(self, response: httpx.Response, submission: OutgoingSubmission) -> Results:
        """Read the answer to `submit_request`. Never raises: what cannot be read is `unknown`."""

    def reports_request(self, at: datetime) -> httpx.Request | None:
        """Build the request that reads reports. Treat the read as destructive."""
        return None

    def read_reports(self, response: httpx.Response) -> Page[Report]:
        """Read a page of reports. Never raises."""
        raise NotImplementedError

    def inbound_request(self, at: datetime, hour: datetime | None = None) -> httpx.Request | None:
        """Build the request that reads inbound messages, of one `hour` where that is possible."""
        return None

    def read_inbound(self, response: httpx.Response) -> Page[InboundMessage]:
        """Read a page of inbound messages. Never raises."""
        raise NotImplementedError

    def balance_request(self, at: datetime) -> httpx.Request | None:
        """Build the request that reads the balance; it can be repeated."""
        return None

    def read_balance(self, response: httpx.Response) -> Balance:
        """Read the answer to `balance_request`. Never raises."""
        raise NotImplementedError

    def sent_count_request(self, at: datetime) -> httpx.Request | None:
        """Build the request that reads the sent counter; it can be repeated."""
        return None

    def read_sent_count(self, response: httpx.Response) -> SentCount:
        """Read the answer to `sent_count_request`. Never raises."""
        raise NotImplementedError

    def query_request(self, query: SentQuery, at: datetime) -> httpx.Request | None:
        """Build the request that asks what a number was sent around a time; it can be repeated."""
        return None

    def query_requests(self, query: SentQuery, at: datetime) -> Sequence[httpx.Request]:
        """Build all the requests that ask about one message; most gateways need a single one."""
        request = self.query_request(query, at)
        return () if request is None else (request,)

    def read_query(self, response: httpx.Response) -> Page[SentRow]:
        """Read the answer to `query_request`. Never raises."""
        raise NotImplementedError

    def password_request(self, new_password: str) -> httpx.Request | None:
        """Build the request that changes the account's password; only a person has it sent."""
        return None

    def read_password(self, response: httpx.Response) -> Result:
        """Read the answer to `password_request`. Never raises."""
        raise NotImplementedError

    def read_push(self, push: httpx.Request) -> PushContents:
        """Read a push by its method, query, headers and body. Never raises."""
        raise NotImplementedError

    def push_answer(self) -> httpx.Response:
        """Return the exact answer that the gateway expects once a push is stored."""
        raise NotImplementedError


@dataclass(frozen=True)
class Account:
    """Credentials and settings at one gateway, under the name that users give it."""

    name: str
    gateway: Gateway

    @property
    def settings(self) -> AccountSettings:
        """The account's section of the configuration."""
        return self.gateway.settings

    @property
    def login(self) -> tuple[str, str, str]:
        """The gateway's name, its host and the login: equal for accounts that are one there."""
        login = str(getattr(self.settings, self.settings.LOGIN_FIELD, "")) or f"account {self.name}"
        return self.gateway.name, urlsplit(self.settings.base_url).netloc, login

    @property
    def batch_cap(self) -> int:
        """The most messages that one submission may carry."""
        cap = self.gateway.capabilities.batch_cap
        return min(cap, self.settings.max_batch or cap)

    @property
    def reports(self) -> Reports:
        """The way of reports: as set; else pull where offered, else push where tokens are set."""
        if self.settings.reports is not None:
            return self.settings.reports
        if Reports.PULL in self.gateway.capabilities.reports:
            return Reports.PULL
        return Reports.PUSH if self.settings.push_tokens else Reports.NONE
