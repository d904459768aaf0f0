"""A message as a test sees it: what its application asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker.domain.enums import MessageClass
from worker.intake.enqueue_request import EnqueueRequest


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One text to one number; `text` is what its recipient would read."""

    id: str
    to: str
    text: str
    message_class: MessageClass
    account: str | None = None
    key: str | None = None
    sender: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    extension: str | None = None
    template: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    callback_url: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    #: The name of its campaign; None for a message of `enqueue`.
    campaign: str | None = None


def sent_message(
    request: EnqueueRequest,
    message_id: str,
    msisdn: str,
    text: str,
    variables: Mapping[str, str] | None,
    campaign: str | None = None,
) -> SentMessage:
    """Return a message of a request that was checked."""
    return SentMessage(
        message_id,
        msisdn,
        text,
        request.message_class,
        request.account,
        request.key,
        request.sender,
        request.not_before,
        request.not_after,
        request.extension,
        request.template,
        dict(variables or {}),
        dict(request.options or {}),
        request.callback_url,
        dict(request.metadata or {}),
        campaign,
    )
