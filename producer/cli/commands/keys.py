"""`xinshi key`: create, list and revoke API keys."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output
from producer.cli.session import Session, open_session, operator_name
from producer.cli.value_names import NamedValuesGroup
from worker.domain.enums import Scope

if TYPE_CHECKING:
    from worker.store.keys import ApiKey

#: What a key may do unless `--scope` is given.
DEFAULT_SCOPES = (Scope.SEND, Scope.READ)
#: The form of a key's name, which is a sender and may stand in addresses.
_NAME_FORM = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

group = typer.Typer(
    cls=NamedValuesGroup,
    name="key",
    help="API keys: who may use the HTTP API, and for what.",
    no_args_is_help=True,
    epilog=options.example_lines("xinshi key create shop", "xinshi key create ci --test"),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group)


@options.command(
    group,
    "xinshi key create shop",
    "xinshi key create crm --scope campaigns --scope read --rate 20",
    "xinshi key create ci --test",
)
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Who sends with it; also who sees what was sent.")
    ],
    *,
    scope: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="What it may do; send and read unless given. Repeat it."),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="All that it sends goes to web.test_account.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.01, help="Calls in a second; else web.key_rate.")
    ] = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Make an API key and print it: this once, since only its hash is kept.

    Keys of the same name are the same sender: make the next one before you revoke the last.
    """
    with open_session(config) as session:
        from worker.domain import api_keys
        from worker.store import events, keys
        from worker.store.db import database

        _refuse_unusable_name(session, name, test=test)
        api_key = api_keys.make(test=test)
        scopes = sorted(set(scope or DEFAULT_SCOPES))
        with database.writing(session.engine) as connection:
            key_id = keys.add(
                connection, name, api_keys.digest(api_key), scopes, test=test, rate=rate
            )
            events.add(
                connection, "key.created", operator_name(), detail={"key": key_id, "name": name}
            )
    if as_json:
        output.print_json(
            {"id": key_id, "name": name, "scopes": scopes, "test": test, "key": api_key}
        )
    else:
        output.print_line(api_key)
        output.print_hint(
            f"key {key_id} of {name}; it is shown this once and may {', '.join(scopes)}"
        )


@options.command(group, "xinshi key list", "xinshi key list --json", name="list")
def list_keys(*, as_json: options.Json = False, config: options.Config = None) -> None:
    """List the API keys; none of them can be shown again."""
    with open_session(config) as session:
        from worker.store import keys
        from worker.store.db import database

        with database.reading(session.engine) as connection:
            api_keys = keys.list_keys(connection)
    if as_json:
        output.print_json([_key_json(key) for key in api_keys])
    elif api_keys:
        headers = ("id", "name", "scopes", "kind", "rate", "made", "used", "revoked")
        output.print_table(headers, [_key_row(key) for key in api_keys])
    else:
        output.print_hint("there is no API key; `xinshi key create NAME` makes one")


@options.command(group, "xinshi key revoke 3")
def revoke(
    key_id: Annotated[int, typer.Argument(metavar="ID", help="As `xinshi key list` shows it.")],
    *,
    config: options.Config = None,
) -> None:
    """Make an API key worthless, within seconds and for good; names what it added and leaves."""
    with open_session(config) as session:
        from worker.store import events, keys
        from worker.store.db import database
        from worker.store.feedback import callbacks

        with database.writing(session.engine) as connection:
            key = keys.find_by_id(connection, key_id)
            if key is not None:
                keys.revoke(connection, key_id)
                events.add(connection, "key.revoked", operator_name(), detail={"key": key_id})
                left = callbacks.left_by(connection, key_id, key.name)
    if key is None:
        output.print_error(f"there is no key {key_id}, or it was revoked before")
        raise typer.Exit(failures.FAILED)
    output.print_line(f"key {key_id} is revoked")
    for callback in left:
        origin = "which it added" if callback.key_id else "which it may have added"
        output.print_hint(
            f"callback {callback.id} ({callback.url}), {origin}, is still told;"
            f" `xinshi callbacks remove {callback.id}` ends that"
        )


def _refuse_unusable_name(session: Session, name: str, *, test: bool) -> None:
    """Raise `Refused` for a malformed or reserved name, and for one with keys of the other kind."""
    import re

    from worker.domain.errors import Problem, Refused
    from worker.store import keys
    from worker.store.db import database

    if not re.fullmatch(_NAME_FORM, name):
        raise Refused([Problem("NAME", "is letters, digits, dots, - and _, at most 64")])
    if name == "celery":
        raise Refused([Problem("NAME", "is what the Celery door sends under; choose another")])
    with database.reading(session.engine) as connection:
        keys_of_other_kind = [
            key for key in keys.list_keys(connection, name) if key.test is not test
        ]
    if keys_of_other_kind:
        # They would share idempotency keys, and see each other's messages.
        other_kind = "live" if test else "test"
        raise Refused([Problem("NAME", f"{name} has {other_kind} keys; choose another name")])


def _key_json(key: "ApiKey") -> dict[str, Any]:
    from worker.intake.lookup import iso_time

    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "test": key.test,
        "rate": key.rate,
        "created_at": iso_time(key.created_at),
        "used_at": iso_time(key.used_at),
        "revoked_at": iso_time(key.revoked_at),
    }


def _key_row(key: "ApiKey") -> tuple[Any, ...]:
    return (
        key.id,
        key.name,
        ", ".join(sorted(key.scopes)),
        "test" if key.test else "live",
        key.rate,
        key.created_at,
        key.used_at,
        key.revoked_at,
    )
