"""Check a request, then write it with its messages in one transaction.

A request with a fault is refused at once and as a whole, with each problem named. An accepted one
is in the database when the call returns.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain import msisdn as numbers
from worker.domain import placeholders, urls
from worker.domain.enums import NumberKind
from worker.domain.errors import (
    CommitUnknown,
    KeyConflict,
    Problem,
    Refused,
    Unavailable,
)
from worker.gateways.base import Content
from worker.intake import fingerprints, template_forms
from worker.intake.account_checks import account_findings
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.label_rules import label_problems
from worker.intake.text_checks import lint_content, unused_value_warnings
from worker.store.db import database
from worker.store.feedback import named_callbacks
from worker.store.feedback.named_callbacks import NamedCallback
from worker.store.intake import singles
from worker.store.intake.new_requests import NewRequest, StoredRequest
from worker.store.templates.usable import RegisteredTemplate

#: The pauses between tries to read back what a cut-off commit left, in seconds.
READ_BACK_PAUSES = (0.1, 0.4, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Enqueued:
    """An accepted request: the messages' ids, one for each number in the order they were given.

    A number that was given twice is one message, and its id stands twice. `repeated` is True when
    the key was used before for the same request, whose ids these are. `warnings` is what a person
    should know of the text; it held nothing up.
    """

    request_id: int
    ids: tuple[str, ...]
    repeated: bool
    warnings: tuple[Problem, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request without a fault: what is stored, and the `n` of each given number's message."""

    new_request: NewRequest
    msisdns: tuple[str, ...]
    message_indexes: tuple[int, ...]
    warnings: tuple[Problem, ...] = ()


def check(
    settings: Settings, request: EnqueueRequest, registered: RegisteredTemplate | None = None
) -> CheckedRequest:
    """Return what will be stored, or raise `Refused` with every problem of the request.

    `registered` is the template that is registered under the name that the request gives, as
    `template_forms.look_up` returns it.
    """
    problems: list[Problem] = []
    content = render_content(request, problems, registered)
    warnings = text_warnings(settings, request, content, problems)
    msisdns, message_indexes = _normalise_recipients(request.to, problems)
    kinds = {kind for kind in map(numbers.kind, msisdns) if kind}
    problems += terms_problems(request) + callback_problems(settings, request.callback_url)
    forms = None
    if registered is not None:
        forms = template_forms.Forms(
            settings, content, registered.renderings, kinds, request.message_class
        )
    if not problems:
        problems, account_warnings = account_findings(
            settings, request, content, kinds, forms=forms
        )
        warnings = (*warnings, *account_warnings)
    if problems:
        raise Refused(problems)
    new_request = request_row(settings, request, content, kinds, msisdns, registered)
    return CheckedRequest(new_request, msisdns, message_indexes, warnings)


def request_row(
    settings: Settings,
    request: EnqueueRequest,
    content: Content,
    kinds: set[NumberKind],
    msisdns: Sequence[str],
    registered: RegisteredTemplate | None = None,
) -> NewRequest:
    """Return what is stored of a request that was checked."""
    return NewRequest(
        request.sender,
        request.key,
        fingerprints.of_request(request, content, msisdns),
        request.message_class,
        request.account,
        content,
        ",".join(sorted(kinds)),
        request.not_before,
        request.not_after,
        settings.valid_seconds(request.message_class),
        _named_callback(settings, request),
        request.metadata,
        template_forms.key_of(registered),
    )


def _named_callback(settings: Settings, request: EnqueueRequest) -> NamedCallback | None:
    if request.callback_url is None:
        return None
    return NamedCallback(request.callback_url, settings.top.max_callbacks, request.key_id)


def commit(engine: Engine, write: Callable[[Connection, int | None], Enqueued]) -> Enqueued:
    """Write a request in a transaction of its own: one call is one request, whatever is cut off.

    `write` calls `store`, and passes its second argument on as `earlier_id`. When the database is
    cut off while it commits, it is asked for some seconds whether the request stands, and `write`
    is called again. Raises `CommitUnknown` when it cannot be known even then.
    """
    written = unconfirmed = None
    failure: Unavailable | None = None
    for pause in (0.0, *READ_BACK_PAUSES):
        if pause:
            # A sleep of nothing takes 70 µs.
            time.sleep(pause)
        try:
            with database.writing(engine) as connection:
                written = write(connection, unconfirmed.request_id if unconfirmed else None)
        except CommitUnknown as error:
            unconfirmed, failure = unconfirmed or written, error
        except Unavailable as error:
            if unconfirmed is None:
                raise
            failure = error
        else:
            # What this very call committed before is no repetition.
            return replace(written, repeated=unconfirmed.repeated) if unconfirmed else written
    msg = (
        "the database was cut off while it committed, and does not answer since: nobody knows"
        " whether the messages are stored. Called again with the same key they are stored once;"
        " without a key look for them first"
    )
    raise CommitUnknown(msg) from failure


def store(
    connection: Connection, checked: CheckedRequest, earlier_id: int | None = None
) -> Enqueued:
    """Write a request within the caller's transaction, which the caller commits.

    `earlier_id` is the id that an earlier try gave the request before its commit was cut off; with
    it the request is written once. Raises `KeyConflict`, and writes nothing, when the key stands
    for another request.
    """
    new = checked.new_request
    callback_id = named_callbacks.id_for_request(connection, new.sender, new.callback)
    stored = singles.add(
        connection, new, checked.msisdns, callback_id=callback_id, earlier_id=earlier_id
    )
    if stored.existed:
        require_same_request(new, stored)
    ids = tuple(f"{stored.id}-{n}" for n in checked.message_indexes)
    return Enqueued(stored.id, ids, stored.existed, checked.warnings)


def require_same_request(new_request: NewRequest, stored: StoredRequest) -> None:
    """Raise `KeyConflict` unless the stored request with this key is the same as the new one."""
    if stored.fingerprint != new_request.fingerprint:
        what = "was used before for another request; a new request needs a new key"
        raise KeyConflict([Problem("key", what)])


def render_content(
    request: EnqueueRequest,
    problems: list[Problem],
    registered: RegisteredTemplate | None = None,
    *,
    values_by_row: bool = False,
) -> Content:
    """Return the content of a request, its text filled in; adds what is wrong to `problems`.

    Without a template every `{name}` in the text needs a value. Where the recipients have values of
    their own (`values_by_row`), a text that names some stays as it was written. Of a registered
    template the body is the text; each account fills it in for itself.
    """
    variables = {name: str(value) for name, value in (request.variables or {}).items()}
    options = {name: _storable(value) for name, value in (request.options or {}).items()}
    text = request.text
    if registered is not None:
        problems += template_forms.terms_problems(registered, text, request.message_class)
        return template_forms.content_of(
            registered, Content("", request.extension, variables=variables, options=options)
        )
    if not request.template:
        try:
            text = placeholders.fill(text, variables)
        except KeyError:
            missing = sorted(placeholders.names(text) - variables.keys())
            if variables or not values_by_row:
                problems += [
                    Problem(f"variables.{name}", "the text names it; give a value")
                    for name in missing
                ]
        if not text.strip():
            problems.append(Problem("text", "is empty"))
        variables = {}
    return Content(text, request.extension, request.template, variables, options)


def text_warnings(
    settings: Settings,
    request: EnqueueRequest,
    content: Content,
    problems: list[Problem],
    given_names: Collection[str] = (),
) -> tuple[Problem, ...]:
    """Return what a person should know of a request's text; adds what is wrong to `problems`.

    `given_names` are those of values beside the request's own, as of a list's columns.
    """
    names = [*(request.variables or ()), *given_names]
    # What is registered was looked at when it was.
    if request.template is not None and content.template is None:
        return ()
    found_problems, warnings = lint_content(
        settings, request.text, content, request.message_class, request.account, names
    )
    problems += found_problems
    if request.template or not request.variables:
        return tuple(warnings)
    return (*warnings, *unused_value_warnings(request.text, request.variables))


def _storable(value: Any) -> Any:
    """Return a time as text, other values as they are: options are stored as JSON."""
    return value.isoformat() if isinstance(value, datetime) else value


def _normalise_recipients(
    to: Sequence[str], problems: list[Problem]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the different numbers, and for each given one the index of its message among them.

    Adds what is wrong to `problems`.
    """
    if not to:
        problems.append(Problem("to", "is empty"))
    index_by_msisdn: dict[str, int] = {}
    message_indexes = []
    for row, number in enumerate(to, 1):
        try:
            msisdn = numbers.normalise(number)
        except ValueError as error:
            problems.append(Problem("to" if len(to) == 1 else f"to, row {row}", str(error)))
            continue
        message_indexes.append(index_by_msisdn.setdefault(msisdn, len(index_by_msisdn)))
    return tuple(index_by_msisdn), tuple(message_indexes)


def terms_problems(request: EnqueueRequest) -> list[Problem]:
    """Return what is wrong with a request's times, key, sender and metadata."""
    return [
        *_time_problems(request),
        *label_problems(request.sender, request.key, request.metadata),
    ]


def _time_problems(request: EnqueueRequest) -> list[Problem]:
    not_before, not_after = request.not_before, request.not_after
    problems = [
        Problem(name, "has no time zone; use an aware datetime")
        for name, moment in (("not_before", not_before), ("not_after", not_after))
        if moment is not None and moment.tzinfo is None
    ]
    if not problems and not_before and not_after and not_after <= not_before:
        problems.append(Problem("not_after", "is not later than not_before"))
    return problems


def callback_problems(settings: Settings, url: str | None) -> list[Problem]:
    """Return why callbacks cannot go to a URL; [] when they can, or when there is no URL."""
    if url is None:
        return []
    if not settings.top.callback_secrets:
        return [
            Problem(
                "callback_url", "nothing could sign it: the configuration has no callback_secrets"
            )
        ]
    reason = urls.problem(url, settings.top.callback_networks)
    return [Problem("callback_url", reason)] if reason else []
