"""The options of a message, besides its numbers and its text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from worker.domain.enums import MessageClass


class MessageOptions(TypedDict, total=False):
    """The keyword arguments that `enqueue` and `enqueue_campaign` share."""

    #: The class: "otp", "notice" (the default) or "marketing"; of a campaign "marketing" (its
    #: default) or "notice", because a code is for one person.
    message_class: MessageClass | str
    #: The account that has to carry the message; otherwise one that serves the class is chosen.
    account: str | None
    #: The idempotency key, at most 200 characters: a call that is repeated with it is one request.
    key: str | None
    #: Who enqueues; each sender has its own idempotency keys.
    sender: str
    #: The message is not submitted before and not after these, aware datetimes. Without `not_after`
    #: the class decides.
    not_before: datetime | None
    not_after: datetime | None
    #: The sub-extension that leads replies home.
    extension: str | None
    #: A registered template, or with an account a gateway's own, and the values for it, in order.
    #: Without a template the values replace `{name}` in the text.
    template: str | None
    variables: Mapping[str, str] | None
    #: Options that only one gateway has.
    options: Mapping[str, Any] | None
    #: A URL that is told what becomes of the message, in place of the sender's standing callback.
    callback_url: str | None
    #: What answers, callbacks and exports say again: at most 16 names with texts, 1 KB in all.
    metadata: Mapping[str, str] | None
