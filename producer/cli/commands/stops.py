"""`xinshi stop` and `resume`: stop what is sent of a class, or all of it, and let it go on."""

from typing import Annotated

import typer

from producer.cli import options, output
from producer.cli.session import open_session, operator_name
from worker.domain.enums import MessageClass

_Classes = Annotated[
    list[MessageClass] | None,
    typer.Argument(metavar="CLASS…", help="otp, notice, marketing.", show_default=False),
]
_All = Annotated[bool, typer.Option("--all", help="All classes.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(
        app, 'xinshi stop marketing --why "wrong price"', 'xinshi stop --all --why "an attack"'
    )(stop)
    options.command(app, "xinshi resume marketing", "xinshi resume --all")(resume)


def stop(
    classes: _Classes = None,
    *,
    everything: _All = False,
    why: options.Why = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Stop a class: nothing new of it is handed to a gateway until `xinshi resume`.

    Every worker heeds it within a second, also after a restart. What is in flight is finished.
    What is enqueued waits; what is not valid any longer expires, and is shown so.
    """
    message_classes = _named_classes(classes, everything=everything)
    with open_session(config) as session:
        from worker.delivery import class_stops

        stopped = class_stops.stop(session.engine, message_classes, operator_name(), why)
    if as_json:
        output.print_json({"stopped": [message_class.value for message_class in stopped]})
        return
    for message_class in message_classes:
        was_stopped = "" if message_class in stopped else " already"
        output.print_line(
            f"{message_class.value} is stopped{was_stopped};"
            f" `xinshi resume {message_class.value}` lets it go on"
        )


def resume(
    classes: _Classes = None,
    *,
    everything: _All = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Let a class go on that was stopped: what waits and is still valid goes out at once."""
    message_classes = _named_classes(classes, everything=everything)
    with open_session(config) as session:
        from worker.delivery import class_stops

        resumed = class_stops.resume(session.engine, message_classes, operator_name())
        for message_class in resumed:
            session.ring(message_class, f"{message_class.value} goes on")
    if as_json:
        output.print_json({"resumed": [message_class.value for message_class in resumed]})
        return
    for message_class in message_classes:
        is_now = "goes on" if message_class in resumed else "was not stopped"
        output.print_line(f"{message_class.value} {is_now}")


def _named_classes(classes: list[MessageClass] | None, *, everything: bool) -> list[MessageClass]:
    """Return the classes that are meant. Raises `typer.BadParameter` when it is not said which."""
    if bool(classes) == everything:
        msg = "name the classes (otp, notice, marketing), or --all"
        raise typer.BadParameter(msg)
    return list(MessageClass) if everything else list(dict.fromkeys(classes or []))
