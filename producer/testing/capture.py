"""A producer that keeps what it would send in a list; it checks as every producer does."""

import threading
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Unpack

from producer.client import Producer, build_request
from producer.options import MessageOptions
from producer.testing.campaign_capture import read_campaign
from producer.testing.known_keys import KnownKeys
from producer.testing.sent_message import SentMessage, sent_message
from worker.config.settings import Settings, parse
from worker.domain.enums import MessageClass, MessageState
from worker.domain.errors import NotFound
from worker.intake import enqueue, fingerprints
from worker.intake.campaign_loader import Loaded
from worker.intake.enqueue import Enqueued
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.lookup import Message
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue
from worker.sandbox.samples import samples

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session


class CapturingProducer(Producer):
    """Keeps what it would send in `sent`; threads may share it."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Without settings, an account of any name carries what some gateway can."""
        super().__init__(settings or _settings_of_any_gateway())
        self.sent: list[SentMessage] = []
        self._knows_accounts = settings is not None
        self._ids = count(1)
        self._messages: dict[str, Message] = {}
        self._enqueued = KnownKeys[Enqueued]()
        self._loaded = KnownKeys[Loaded]()
        self._capturing = threading.Lock()

    @property
    def engine(self) -> NoReturn:
        """There is none: what asks for it needs a real database."""
        msg = "an outbox of producer.testing has no database; test this against a real one"
        raise RuntimeError(msg)

    def enqueue(
        self,
        to: str | Sequence[str],
        text: str = "",
        *,
        session: "Session | None" = None,
        connection: Any = None,
        **message_options: Unpack[MessageOptions],
    ) -> Enqueued:
        """Check messages and keep them; a session or connection is left alone."""
        request = build_request(to, text, message_options)
        checked = enqueue.check(self.settings, self._checkable(request))
        content = checked.new_request.content
        fingerprint = fingerprints.of_request(request, content, checked.msisdns)
        with self._capturing:
            earlier = self._enqueued.recall(request, fingerprint)
            if earlier is not None:
                return replace(earlier, repeated=True)
            request_id = next(self._ids)
            ids = tuple(f"{request_id}-{n}" for n in checked.message_indexes)
            enqueued = Enqueued(request_id, ids, repeated=False, warnings=checked.warnings)
            self._enqueued.note(request, fingerprint, enqueued)
            for n, msisdn in enumerate(checked.msisdns):
                self._keep(request, f"{request_id}-{n}", msisdn, content.text, request.variables)
        return enqueued

    async def enqueue_async(
        self,
        to: str | Sequence[str],
        text: str = "",
        *,
        session: "AsyncSession | None" = None,
        **message_options: Unpack[MessageOptions],
    ) -> Enqueued:
        """Do as `enqueue` does."""
        return self.enqueue(to, text, **message_options)

    def _load_campaign(
        self,
        name: str,
        request: EnqueueRequest,
        rows: Iterable[PlainRows | Row],
        given_names: Collection[str],
        allowed: Collection[OddValue],
        *,
        start: bool,
        skip_bad: bool,
    ) -> Loaded:
        """Check a campaign and keep its messages, if they would be sent at once."""
        campaign = read_campaign(
            self.settings, self._checkable(request), rows, given_names, allowed, next(self._ids)
        )
        loaded = campaign.loaded
        with self._capturing:
            earlier = self._loaded.recall(request, campaign.fingerprint)
            if earlier is not None:
                return replace(earlier)
            self._loaded.note(request, campaign.fingerprint, loaded)
            if start and (skip_bad or not loaded.invalid):
                for n, message in enumerate(campaign.messages):
                    self._keep(request, f"{loaded.id}-{n}", *message, campaign=name)
        return loaded

    def get(self, message_id: str) -> Message:
        """Return a message that was kept, or raise `NotFound`."""
        if message_id not in self._messages:
            msg = f"there is no message {message_id}"
            raise NotFound(msg)
        return self._messages[message_id]

    def cancel(self, message_id: str) -> Message:
        """Take a message back; it stays in `sent`, and `get` shows it as cancelled."""
        cancelled = replace(self.get(message_id), state=MessageState.CANCELLED)
        self._messages[message_id] = cancelled
        return cancelled

    def ring(self, message_class: MessageClass | str = MessageClass.NOTICE) -> bool:
        """Ring for nobody."""
        return bool(MessageClass(message_class))

    def tick(self) -> bool:
        """Ring for nobody."""
        return True

    def _checkable(self, request: EnqueueRequest) -> EnqueueRequest:
        """Return a request as it can be checked: without its account, where none is known."""
        return request if self._knows_accounts else replace(request, account=None)

    def _keep(
        self,
        request: EnqueueRequest,
        message_id: str,
        msisdn: str,
        text: str,
        variables: Mapping[str, str] | None,
        campaign: str | None = None,
    ) -> None:
        message = sent_message(request, message_id, msisdn, text, variables, campaign)
        self.sent.append(message)
        self._messages[message_id] = _queued(message)


def _queued(message: SentMessage) -> Message:
    """Return a message as `get` shows it before a worker has seen it."""
    return Message(
        id=message.id,
        to=message.to,
        message_class=message.message_class,
        state=MessageState.QUEUED,
        account=message.account,
        code=None,
        code_text=None,
        gateway_id=None,
        segments=None,
        attempts=0,
        created_at=datetime.now(UTC),
        submitted_at=None,
        finished_at=None,
        closed_at=None,
        campaign=int(message.id.partition("-")[0]) if message.campaign else None,
        key=message.key,
        metadata=message.metadata,
    )


def _settings_of_any_gateway() -> Settings:
    """Return settings in which each gateway has an account that serves all classes."""
    raw = tomllib.loads(samples("http://127.0.0.1:8025"))
    for section in raw["accounts"].values():
        section["classes"] = list(MessageClass)
    # A callback's URL is checked for its form alone: wherever it leads, nobody calls it.
    networks = {"callback_networks": ["0.0.0.0/0", "::/0"], "callback_secrets": ["-" * 20]}
    return parse(raw | networks, Path(), {})
