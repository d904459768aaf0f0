"""`xinshi callbacks`: which applications are told, and what could not be told."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import options, output
from producer.cli.session import opened

if TYPE_CHECKING:
    from worker.config.settings import Settings
    from worker.store.callbacks import Callback

_Sender = Annotated[
    str, typer.Option("--sender", metavar="NAME", help="Whose messages; local callers are none.")
]

group = typer.Typer(
    name="callbacks",
    help="URLs of applications that are told what becomes of their messages.",
    no_args_is_help=True,
    epilog=options.examples(
        "xinshi callbacks add https://shop.example.com/xinshi --sender shop --inbound",
        "xinshi callbacks list --secrets",
        "xinshi callbacks replay",
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(group, "xinshi callbacks add https://shop.example.com/xinshi", name="add")(add)
    options.command(group, "xinshi callbacks list --secrets", name="list")(listed)
    options.command(group, "xinshi callbacks remove 3", name="remove")(remove)
    options.command(group, "xinshi callbacks replay 3", name="replay")(replay)
    app.add_typer(group)


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it is told, by POST.")],
    *,
    sender: _Sender = "",
    inbound: Annotated[
        bool, typer.Option("--inbound", help="Tell it of texts from handsets too.")
    ] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Have a URL told of all that a sender enqueues from now on; prints its secret."""
    with opened(config) as here:
        from worker.domain.errors import Refused
        from worker.intake import enqueue
        from worker.store import callbacks
        from worker.store.db import database

        problems = enqueue.callback_problems(here.settings, url)
        if problems:
            raise Refused(problems)
        with database.writing(here.engine) as connection:
            made = callbacks.ensure(connection, sender, url, standing=True, inbound=inbound)
        secret = _secret(here.settings, made)
    if as_json:
        output.as_json({"id": made, "url": url, "sender": sender, "secret": secret})
    else:
        output.facts({"callback": made, "secret": secret})


def listed(
    *,
    secrets: Annotated[bool, typer.Option("--secrets", help="Show their secrets.")] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List callbacks, with the events that wait for each and those that were parked."""
    with opened(config) as here:
        from worker.store import callbacks
        from worker.store.db import database

        with database.reading(here.engine) as connection:
            found = callbacks.all_of(connection)
        shown = [_row(here.settings, one, secrets=secrets) for one in found]
    if as_json:
        output.as_json(shown)
    elif shown:
        output.table(tuple(shown[0]), [tuple(row.values()) for row in shown])
    else:
        output.hint("nobody is told; see `xinshi callbacks add --help`")


def remove(
    callback: Annotated[int, typer.Argument(metavar="ID", help="As `list` shows it.")],
    *,
    config: options.Config = None,
) -> None:
    """Tell a URL nothing more; what waits for it is dropped."""
    with opened(config) as here:
        from worker.domain.errors import NotFound
        from worker.store import callbacks
        from worker.store.db import database

        with database.writing(here.engine) as connection:
            if not callbacks.remove(connection, callback):
                msg = f"there is no callback {callback}; `xinshi callbacks list` shows all"
                raise NotFound(msg)
    output.hint(f"callback {callback} is told nothing more")


def replay(
    callback: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="Only this one's events.")
    ] = None,
    *,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Tell again what was parked, for another day."""
    with opened(config) as here:
        from worker.store import callbacks
        from worker.store.db import database

        with database.writing(here.engine) as connection:
            count = callbacks.replay(connection, callback)
    if as_json:
        output.as_json({"events": count})
    else:
        output.line(f"{count} events are told again")


def _row(settings: "Settings", one: "Callback", *, secrets: bool) -> dict[str, Any]:
    row = {
        "id": one.id,
        "sender": one.sender,
        "url": one.url,
        "told of": "all of its sender" if one.standing else "calls that name it",
        "inbound": "yes" if one.inbound else "",
        "waiting": one.waiting,
        "parked": one.parked,
    }
    return {**row, "secret": _secret(settings, one.id)} if secrets else row


def _secret(settings: "Settings", callback: int) -> str | None:
    from worker.feedback import callback_signatures

    masters = settings.top.callback_secrets
    return callback_signatures.secret(masters[0].get_secret_value(), callback) if masters else None
