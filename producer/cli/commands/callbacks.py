"""`xinshi callbacks`: add, list and remove callbacks, and replay events that were parked."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output
from producer.cli.session import open_session
from producer.cli.value_names import NamedValuesGroup

if TYPE_CHECKING:
    from worker.config.settings import Settings
    from worker.store.feedback.callbacks import Callback

_Sender = Annotated[
    str, typer.Option("--sender", metavar="NAME", help="Whose messages; local callers are none.")
]

group = typer.Typer(
    cls=NamedValuesGroup,
    name="callbacks",
    help="URLs of applications that are told what becomes of their messages.",
    no_args_is_help=True,
    epilog=options.example_lines(
        "xinshi callbacks add https://shop.example.com/xinshi --sender shop --inbound",
        "xinshi callbacks list --secrets",
        "xinshi callbacks replay",
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(group, "xinshi callbacks add https://shop.example.com/xinshi", name="add")(add)
    options.command(group, "xinshi callbacks list --secrets", name="list")(list_callbacks)
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
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of the URL that is told so far.")
    ] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Have a URL told of all that a sender enqueues from now on; prints its secret."""
    with open_session(config) as session:
        from worker.domain.errors import Refused
        from worker.feedback import standing_callbacks
        from worker.feedback.standing_callbacks import Entitlement
        from worker.intake import enqueue
        from worker.store.db import database

        if not session.settings.top.callback_secrets:
            _print_secret_to_set()
        problems = enqueue.callback_problems(session.settings, url)
        if problems:
            raise Refused(problems)
        with database.writing(session.engine) as connection:
            if replace:
                callback_id = standing_callbacks.replace_only(
                    connection, sender, url, inbound=inbound
                )
            else:
                callback_id = standing_callbacks.add(
                    connection, (), sender, url, Entitlement(operates=True), inbound=inbound
                )
        secret = _secret(session.settings, callback_id)
    if as_json:
        output.print_json({"id": callback_id, "url": url, "sender": sender, "secret": secret})
    else:
        output.print_facts({"callback": callback_id, "secret": secret})


def _print_secret_to_set() -> None:
    """Print a line of configuration with a new secret, and end the command."""
    from worker.domain import secret_fields

    output.print_hint(
        "callbacks are signed: add this to the top of the configuration, restart what runs, and"
        " repeat the command"
    )
    output.print_line(f'callback_secrets = ["{secret_fields.make_secret()}"]')
    raise typer.Exit(failures.USAGE)


def list_callbacks(
    *,
    secrets: Annotated[bool, typer.Option("--secrets", help="Show their secrets.")] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List callbacks, with the events that wait for each and those that were parked."""
    with open_session(config) as session:
        from worker.store.db import database
        from worker.store.feedback import callbacks

        with database.reading(session.engine) as connection:
            stored_callbacks = callbacks.list_callbacks(connection)
        rows = [
            _callback_row(session.settings, callback, secrets=secrets)
            for callback in stored_callbacks
        ]
    if as_json:
        output.print_json(rows)
    elif rows:
        output.print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
    else:
        output.print_hint("nobody is told; see `xinshi callbacks add --help`")


def remove(
    callback_id: Annotated[int, typer.Argument(metavar="ID", help="As `list` shows it.")],
    *,
    config: options.Config = None,
) -> None:
    """Tell a URL nothing more; what waits for it is dropped."""
    with open_session(config) as session:
        from worker.domain.errors import NotFound
        from worker.store.db import database
        from worker.store.feedback import callbacks

        with database.writing(session.engine) as connection:
            if not callbacks.remove(connection, callback_id):
                msg = f"there is no callback {callback_id}; `xinshi callbacks list` shows all"
                raise NotFound(msg)
    output.print_hint(f"callback {callback_id} is told nothing more")


def replay(
    callback_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="Only this one's events.")
    ] = None,
    *,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Tell again what was parked, for another day."""
    with open_session(config) as session:
        from worker.store.db import database
        from worker.store.feedback import callbacks

        with database.writing(session.engine) as connection:
            count = callbacks.replay_parked(connection, callback_id)
    if as_json:
        output.print_json({"events": count})
    else:
        output.print_line(f"{count} events are told again")


def _callback_row(settings: "Settings", callback: "Callback", *, secrets: bool) -> dict[str, Any]:
    row = {
        "id": callback.id,
        "sender": callback.sender,
        "url": callback.url,
        "told of": "all of its sender" if callback.standing else "calls that name it",
        "inbound": "yes" if callback.inbound else "",
        "key": callback.key_id,
        "waiting": callback.waiting,
        "parked": callback.parked,
    }
    return {**row, "secret": _secret(settings, callback.id)} if secrets else row


def _secret(settings: "Settings", callback_id: int) -> str | None:
    """Return the secret of a callback; None when no master secret is configured."""
    from worker.feedback import callback_signatures

    master_secrets = settings.top.callback_secrets
    return (
        callback_signatures.derive_secret(master_secrets[0].get_secret_value(), callback_id)
        if master_secrets
        else None
    )
