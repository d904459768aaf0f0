"""Taking messages in: everything is checked first, then written in one transaction.

What is refused is refused at once, each problem named; what is accepted is in the database.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain import msisdn as numbers
from worker.domain import placeholders, urls
from worker.domain.enums import MessageClass, NumberKind
from worker.domain.errors import (
    CommitUnknown,
    KeyConflict,
    Problem,
    Refused,
    Unavailable,
)
from worker.gateways.base import Content
from worker.policy import routing
from worker.store import callbacks, requests, singles
from worker.store.db import database
from worker.store.requests import NewRequest

LONGEST_KEY = 200
LONGEST_SENDER = 64
#: How long is waited between looks at a database that was cut off while it committed, in seconds.
PAUSES = (0.1, 0.4, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What was accepted: the messages' ids, one for each number in the order they were given.

    A number that was given twice is one message, and its id stands twice. `repeated` is True when
    the key was used before for the same request, whose ids these are.
    """

    request_id: int
    ids: tuple[str, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class EnqueueRequest:
    """What a caller asks for, as given; `check` turns it into what is stored."""

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


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """An order without a fault: what is stored, and which message each given number became."""

    request: NewRequest
    msisdns: tuple[str, ...]
    places: tuple[int, ...]


def check(settings: Settings, order: EnqueueRequest) -> CheckedRequest:
    """Return what will be stored, or raise `Refused` with every problem of the order."""
    found: list[Problem] = []
    content = content_of(order, found)
    msisdns, places = _recipients(order.to, found)
    kinds = {kind for kind in map(numbers.kind, msisdns) if kind}
    found += terms_of(order) + callback_problems(settings, order.callback_url)
    if not found:
        found += carriers(settings, order.message_class, order.account, content, kinds)
    if found:
        raise Refused(found)
    return CheckedRequest(new_request(settings, order, content, kinds, msisdns), msisdns, places)


def new_request(
    settings: Settings,
    order: EnqueueRequest,
    content: Content,
    kinds: set[NumberKind],
    msisdns: Sequence[str],
) -> NewRequest:
    """Return the row of an order that was checked."""
    return NewRequest(
        order.sender,
        order.key,
        fingerprint(order, content, msisdns),
        order.message_class,
        order.account,
        content,
        ",".join(sorted(kinds)),
        order.not_before,
        order.not_after,
        settings.validity(order.message_class),
        order.callback_url,
    )


def commit(engine: Engine, write: Callable[[Connection, int | None], Enqueued]) -> Enqueued:
    """Write an order in a transaction of its own: one call is one request, whatever is cut off.

    `write` is `store` in the end; its second argument goes to `store` as `again`. When the database
    is cut off while it commits, what stands is read back for some seconds. Raises `CommitUnknown`
    when it cannot be known even then.
    """
    done = first = None
    failure: Unavailable | None = None
    for pause in (0.0, *PAUSES):
        if pause:
            # A sleep of nothing takes 70 µs.
            time.sleep(pause)
        try:
            with database.writing(engine) as connection:
                done = write(connection, first.request_id if first else None)
        except CommitUnknown as error:
            first, failure = first or done, error
        except Unavailable as error:
            if first is None:
                raise
            failure = error
        else:
            # What this very call committed before is no repetition.
            return replace(done, repeated=first.repeated) if first else done
    msg = (
        "the database was cut off while it committed, and does not answer since: nobody knows"
        " whether the messages are stored. Called again with the same key they are stored once;"
        " without a key look for them first"
    )
    raise CommitUnknown(msg) from failure


def store(connection: Connection, checked: CheckedRequest, again: int | None = None) -> Enqueued:
    """Write an order within the caller's transaction; the caller commits.

    `again` is the request's id of a try whose commit was cut off: it is written once. Raises
    `KeyConflict` when its key stands for another request; nothing is written then.
    """
    new = checked.request
    told = callbacks.of(connection, new.sender, new.callback_url)
    stored = singles.add(connection, new, checked.msisdns, callback=told, again=again)
    if stored.existed:
        same_request(new, stored)
    ids = tuple(f"{stored.id}-{n}" for n in checked.places)
    return Enqueued(stored.id, ids, stored.existed)


def same_request(asked: NewRequest, stored: requests.StoredRequest) -> None:
    """Raise `KeyConflict` unless a stored request is what is asked for now."""
    if stored.fingerprint != asked.fingerprint:
        what = "was used before for another request; a new request needs a new key"
        raise KeyConflict([Problem("key", what)])


def content_of(order: EnqueueRequest, found: list[Problem]) -> Content:
    """Render the order's text; without a template every `{name}` needs a value."""
    variables = {name: str(value) for name, value in (order.variables or {}).items()}
    text = order.text
    if not order.template:
        try:
            text = placeholders.render(order.text, variables)
        except KeyError as error:
            found.append(Problem(f"variables.{error.args[0]}", "the text names it; give a value"))
        if not text.strip():
            found.append(Problem("text", "is empty"))
        variables = {}
    options = {name: _stored(value) for name, value in (order.options or {}).items()}
    return Content(text, order.extension, order.template, variables, options)


def _stored(value: Any) -> Any:
    """A time as text: options are stored as JSON."""
    return value.isoformat() if isinstance(value, datetime) else value


def carriers(
    settings: Settings,
    message_class: MessageClass,
    account: str | None,
    content: Content,
    kinds: set[NumberKind],
) -> list[Problem]:
    """Say why no account can carry this; [] when one can."""
    if account is not None and account not in settings.accounts:
        known = ", ".join(settings.accounts) or "none is configured"
        return [Problem("account", f"there is no {account!r}; the accounts are: {known}")]
    asked = routing.candidates(settings.accounts.values(), message_class, account)
    if not asked:
        what = f"no account serves {message_class}; name one, or add it to an account's classes"
        return [Problem("message_class", what)]
    found: list[Problem] = []
    for one in asked:
        against = routing.problems(one, content, kinds)
        if not against:
            return []
        found += against
    return list(dict.fromkeys(found))


def fingerprint(order: EnqueueRequest, content: Content, msisdns: Sequence[str]) -> str:
    """Hash what makes a request this request and no other."""
    facts = {
        "to": list(msisdns),
        "text": content.text,
        "class": order.message_class.value,
        "account": order.account,
        "not_before": order.not_before and order.not_before.timestamp(),
        "not_after": order.not_after and order.not_after.timestamp(),
        "extension": order.extension,
        "template": order.template,
        "variables": dict(content.variables),
        "options": {name: str(value) for name, value in content.options.items()},
    }
    if order.callback_url is not None:
        facts["callback_url"] = order.callback_url
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _recipients(to: Sequence[str], found: list[Problem]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Normalise the numbers; a repeated one is the message that the first made."""
    if not to:
        found.append(Problem("to", "is empty"))
    nth: dict[str, int] = {}
    places = []
    for row, number in enumerate(to, 1):
        try:
            msisdn = numbers.normalise(number)
        except ValueError as error:
            found.append(Problem("to" if len(to) == 1 else f"to, row {row}", str(error)))
            continue
        places.append(nth.setdefault(msisdn, len(nth)))
    return tuple(nth), tuple(places)


def terms_of(order: EnqueueRequest) -> list[Problem]:
    """Say what is wrong with an order's times, key and sender."""
    return [*_times(order), *_names(order)]


def _times(order: EnqueueRequest) -> list[Problem]:
    found = []
    for name in ("not_before", "not_after"):
        moment = getattr(order, name)
        if moment is not None and moment.tzinfo is None:
            found.append(Problem(name, "has no time zone; use an aware datetime"))
    if not found and order.not_before and order.not_after and order.not_after <= order.not_before:
        found.append(Problem("not_after", "is not later than not_before"))
    return found


def callback_problems(settings: Settings, url: str | None) -> list[Problem]:
    """Say why a URL cannot be told what becomes of messages; [] when it can, or when none is."""
    if url is None:
        return []
    if not settings.top.callback_secrets:
        return [Problem("callback_url", "nothing could sign it: set callback_secrets first")]
    wrong = urls.problem(url)
    return [Problem("callback_url", wrong)] if wrong else []


def _names(order: EnqueueRequest) -> list[Problem]:
    found = []
    if order.key is not None and not (0 < len(order.key) <= LONGEST_KEY):
        found.append(Problem("key", f"has to have 1 to {LONGEST_KEY} characters"))
    elif order.key is not None and order.key != order.key.strip():
        found.append(Problem("key", "begins or ends with a blank"))
    if len(order.sender) > LONGEST_SENDER:
        found.append(Problem("sender", f"has more than {LONGEST_SENDER} characters"))
    return found
