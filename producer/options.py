"""What may be said of a message beyond its numbers and its text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from worker.domain.enums import MessageClass


class MessageOptions(TypedDict, total=False):
    """The keyword arguments that `enqueue` and `enqueue_campaign` share."""

    #: What it is: "otp", "notice" (the default; campaigns: "marketing") or "marketing".
    message_class: MessageClass | str
    #: The account that has to carry it; otherwise one that serves the class is chosen.
    account: str | None
    #: Makes the call one request, however often it is repeated: at most 200 characters.
    key: str | None
    #: Who enqueues; keys of one sender are apart from another's.
    sender: str
    #: Not submitted before, not after: aware datetimes. Without `not_after` the class decides.
    not_before: datetime | None
    not_after: datetime | None
    #: The sub-extension that leads replies home.
    extension: str | None
    #: A template of the gateway's, and the values for it, in order. Without a template the values
    #: stand in for `{name}` in the text.
    template: str | None
    variables: Mapping[str, str] | None
    #: What only one gateway knows.
    options: Mapping[str, Any] | None
    #: A URL that is told what becomes of it, in place of the sender's standing callback.
    callback_url: str | None
