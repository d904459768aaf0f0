"""Read the payload of the Celery task `xinshi.enqueue`, by which the Celery door is used.

It is one JSON object: `version` (1), `key` (the application's, required: brokers redeliver), `to`
(a list of numbers), and as they like `text`, `message_class`, `account`, `not_before` and
`not_after` (ISO 8601 with a zone), `extension`, `template`, `variables`, `options`, `callback_url`,
`metadata`, and `client`: who asked for a code.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from worker.domain.enums import MessageClass
from worker.domain.errors import Problem, Refused
from worker.intake.enqueue_request import EnqueueRequest

VERSION = 1
SENDER = "celery"
_FIELD_NAMES = frozenset(EnqueueRequest.__dataclass_fields__) - {"sender"}
_TIME_FIELDS = ("not_before", "not_after")


def read_request(payload: object) -> tuple[EnqueueRequest, str | None]:
    """Return the request in a payload, and the client that asked for it.

    Raises `Refused` with what is wrong with its form.
    """
    if not isinstance(payload, Mapping):
        raise Refused([Problem("payload", "has to be one JSON object")])
    known_names = {*_FIELD_NAMES, "version", "client"}
    problems = [
        Problem("payload", "holds a field that is unknown") for name in payload.keys() - known_names
    ]
    if payload.get("version") is None:
        problems.append(Problem("version", "is missing"))
    if not payload.get("key"):
        problems.append(Problem("key", "is missing: brokers deliver again, a key makes it one"))
    fields = {name: payload[name] for name in known_names if payload.get(name) is not None}
    if isinstance(fields.get("to"), str):
        fields["to"] = [fields["to"]]
    problems += [problem for name, value in fields.items() if (problem := _problem(name, value))]
    if problems:
        raise Refused(problems)
    return _request(fields), fields.get("client")


def _request(fields: Mapping[str, Any]) -> EnqueueRequest:
    """Return the request of fields whose form is right."""
    times = {name: datetime.fromisoformat(fields[name]) for name in _TIME_FIELDS if name in fields}
    message_class = MessageClass(fields.get("message_class", MessageClass.NOTICE))
    rest = {name: fields[name] for name in _FIELD_NAMES - {"to"} if name in fields}
    return EnqueueRequest(
        fields.get("to", []),
        **{**rest, **times, "message_class": message_class, "sender": SENDER},
    )


def _problem(name: str, value: object) -> Problem | None:
    """Return what is wrong with the form of a field; None when it is right."""
    is_right, advice = _FORMS.get(name, _TEXT_FORM)
    return None if is_right(value) else Problem(name, advice)


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


_TEXT_FORM = (lambda value: isinstance(value, str)), "has to be a text"
_TABLE_FORM = (lambda value: isinstance(value, Mapping)), "has to be a table"
_TIME_FORM = _is_time, "has to be a time in ISO 8601, with its zone"
#: How to tell that a field has the right form, and what to say when it has not.
_FORMS: dict[str, tuple[Callable[[object], bool], str]] = {
    "version": ((lambda value: value == VERSION), f"has to be {VERSION}"),
    "to": (_is_list_of_texts, "has to be a list of texts"),
    "message_class": (
        (lambda value: isinstance(value, str) and value in set(MessageClass)),
        f"choose one of {', '.join(MessageClass)}",
    ),
    "variables": _TABLE_FORM,
    "options": _TABLE_FORM,
    "metadata": _TABLE_FORM,
    **dict.fromkeys(_TIME_FIELDS, _TIME_FORM),
}
