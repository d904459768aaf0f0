"""Store messages of one request, and wait for their ends where that is wanted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from producer.cli import failures, output, stop_notices
from producer.cli.session import Session

if TYPE_CHECKING:
    from worker.domain.errors import Problem
    from worker.intake.enqueue_request import EnqueueRequest
    from worker.intake.lookup import Message


def store_and_wait(
    session: Session, request: "EnqueueRequest", wait: float | None, *, as_json: bool
) -> None:
    """Store the messages and ring; with `wait` also wait that many seconds for their ends."""
    from worker.intake import enqueue, lookup, template_choice

    registered = template_choice.look_up(session.engine, session.settings, request)
    checked = enqueue.check(session.settings, request, registered)
    enqueued = enqueue.commit(
        session.engine, lambda connection, again: enqueue.store(connection, checked, again)
    )
    if not as_json:
        output.print_warnings(enqueued.warnings)
    ids = list(dict.fromkeys(enqueued.ids))
    if enqueued.repeated:
        output.print_hint("this key was used before for the same request: nothing new was stored")
    else:
        session.ring(request.message_class, "stored")
    for notice in stop_notices.notices(session, [request.message_class]):
        output.print_hint(f"stored, and waits: {notice}")
    if wait is None:
        messages = lookup.get_all(session.engine, ids)
        _print_messages(messages, enqueued.warnings, as_json=as_json)
        return
    with failures.interruptible(lambda: _continuation_notice(ids)):
        messages = _wait(session, ids, wait)
    _print_messages(messages, enqueued.warnings, as_json=as_json)
    _fail_unless_all_went_well(session, messages)


def _wait(session: Session, ids: list[str], seconds: float) -> "list[Message]":
    """Wait until messages are settled, with their states on standard error."""
    from producer.cli import message_wait

    console = output.console(stderr=True)
    if not console.is_terminal:
        return message_wait.wait_until_settled(
            session.engine, session.settings, ids, seconds, output.print_hint
        )
    with console.status("stored") as status:
        return message_wait.wait_until_settled(
            session.engine, session.settings, ids, seconds, status.update
        )


def _fail_unless_all_went_well(session: Session, messages: "list[Message]") -> None:
    """Print how many messages are still open, and exit with 1 unless all went well."""
    from producer.cli import message_wait
    from producer.waiting import wait_reasons, waits

    open_messages = [
        message for message in messages if not message_wait.is_settled(message, session.settings)
    ]
    if open_messages:
        summary = message_wait.state_summary(open_messages)
        continuation = _continuation_notice([open_messages[0].id])
        output.print_hint(f"the time is over: {summary}; {continuation}")
        reasons = waits.of_message(session.engine, session.settings, open_messages[0])
        if reasons:
            output.print_hint(f"{open_messages[0].id} waits: {wait_reasons.sentences(reasons)}")
    if not message_wait.all_went_well(messages, session.settings):
        raise typer.Exit(failures.FAILED)


def _continuation_notice(ids: Sequence[str]) -> str:
    """Return the sentence that stored messages are sent without this command."""
    messages_are = f"message {ids[0]} is" if len(ids) == 1 else f"{len(ids)} messages are"
    return f"{messages_are} stored and on the way without this command; `xinshi show {ids[0]}`"


def _print_messages(
    messages: "list[Message]", warnings: "Sequence[Problem]", *, as_json: bool
) -> None:
    if as_json:
        messages_json = [message.as_json() for message in messages]
        output.print_json({"messages": messages_json, "warnings": output.problems_json(warnings)})
        return
    rows = [
        (
            message.id,
            message.to,
            message.state.value,
            message.account,
            message.code,
            message.code_text,
        )
        for message in messages
    ]
    output.print_table(("id", "to", "state", "account", "code", "says the gateway"), rows)
