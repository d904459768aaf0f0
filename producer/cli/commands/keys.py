"""`xinshi key`: who may use the HTTP API, and for what."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output
from producer.cli.session import Session, opened
from worker.domain.enums import Scope

if TYPE_CHECKING:
    from worker.store.keys import Key

#: What a key may do, unless it is said otherwise.
USUAL = (Scope.SEND, Scope.READ)
#: A key's name is a sender, and may stand in addresses.
_NAME_FORM = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

group = typer.Typer(
    name="key",
    help="API keys: who may use the HTTP API, and for what.",
    no_args_is_help=True,
    epilog=options.examples("xinshi key create shop", "xinshi key create ci --test"),
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
    with opened(config) as here:
        from worker.domain import api_keys
        from worker.store import events, keys
        from worker.store.db import database

        _check(here, name, test=test)
        made = api_keys.make(test=test)
        scopes = sorted(set(scope or USUAL))
        with database.writing(here.engine) as connection:
            key_id = keys.add(connection, name, api_keys.digest(made), scopes, test=test, rate=rate)
            events.add(connection, "key.created", _person(), detail={"key": key_id, "name": name})
    if as_json:
        output.as_json({"id": key_id, "name": name, "scopes": scopes, "test": test, "key": made})
    else:
        output.line(made)
        output.hint(f"key {key_id} of {name}; it is shown this once and may {', '.join(scopes)}")


@options.command(group, "xinshi key list", "xinshi key list --json", name="list")
def listed(*, as_json: options.Json = False, config: options.Config = None) -> None:
    """List the API keys; none of them can be shown again."""
    with opened(config) as here:
        from worker.store import keys
        from worker.store.db import database

        with database.reading(here.engine) as connection:
            found = keys.listed(connection)
    if as_json:
        output.as_json([_as_json(one) for one in found])
    elif found:
        headers = ("id", "name", "scopes", "kind", "rate", "made", "used", "revoked")
        output.table(headers, [_row(one) for one in found])
    else:
        output.hint("there is no API key; `xinshi key create NAME` makes one")


@options.command(group, "xinshi key revoke 3")
def revoke(
    key_id: Annotated[int, typer.Argument(metavar="ID", help="As `xinshi key list` shows it.")],
    *,
    config: options.Config = None,
) -> None:
    """Make an API key worthless, within seconds and for good."""
    with opened(config) as here:
        from worker.store import events, keys
        from worker.store.db import database

        with database.writing(here.engine) as connection:
            revoked = keys.revoke(connection, key_id)
            if revoked:
                events.add(connection, "key.revoked", _person(), detail={"key": key_id})
    if not revoked:
        output.error(f"there is no key {key_id}, or it was revoked before")
        raise typer.Exit(failures.FAILED)
    output.line(f"key {key_id} is revoked")


def _check(here: Session, name: str, *, test: bool) -> None:
    """Refuse a name that is none, and one that has keys of the other kind."""
    import re

    from worker.domain.errors import Problem, Refused
    from worker.store import keys
    from worker.store.db import database

    if not re.fullmatch(_NAME_FORM, name):
        raise Refused([Problem("NAME", "is letters, digits, dots, - and _, at most 64")])
    if name == "celery":
        raise Refused([Problem("NAME", "is what the Celery door sends under; choose another")])
    with database.reading(here.engine) as connection:
        others = [one for one in keys.listed(connection, name) if one.test is not test]
    if others:
        # They would share idempotency keys, and see each other's messages.
        kind = "live" if test else "test"
        raise Refused([Problem("NAME", f"{name} has {kind} keys; choose another name")])


def _person() -> str:
    from producer.cli.account_calls import person

    return person()


def _as_json(key: "Key") -> dict[str, Any]:
    from worker.intake.lookup import stamp

    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "test": key.test,
        "rate": key.rate,
        "created_at": stamp(key.created_at),
        "used_at": stamp(key.used_at),
        "revoked_at": stamp(key.revoked_at),
    }


def _row(key: "Key") -> tuple[Any, ...]:
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
