"""What a caller asks for, before it is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.domain.enums import MessageClass


@dataclass(frozen=True, slots=True)
class EnqueueRequest:
    """What a caller asks for, as it was given; `check` turns it into what is stored."""

    to: Sequence[str]
    text: str = ""
    message_class: MessageClass = MessageClass.NOTICE
    account: str | None = None
    key: str | None = None
    sender: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    extension: str | None = None
    template: str | None = None
    variables: Mapping[str, str] | None = None
    options: Mapping[str, Any] | None = None
    callback_url: str | None = None
    metadata: Mapping[str, str] | None = None
    #: The API key that it came with; None for a caller on this machine.
    key_id: int | None = None
