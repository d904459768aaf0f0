"""`xinshi signature`: the signatures that accounts may use, and whether they may be used."""

from typing import Annotated

import typer

from producer.cli import options, output
from producer.cli.registration_report import print_bindings, print_signatures
from producer.cli.session import open_session, operator_name
from producer.cli.value_names import NamedValuesGroup
from worker.domain.enums import RegistrationState

group = typer.Typer(
    cls=NamedValuesGroup,
    name="signature",
    help="The brands 【…】 that accounts may put before their texts.",
    no_args_is_help=True,
    epilog=options.example_lines(
        "xinshi signature add 云雀商城 --account main", "xinshi signature list"
    ),
)

_SignatureId = Annotated[
    int, typer.Argument(metavar="ID", help="As `xinshi signature list` shows it.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(
        group,
        "xinshi signature add 云雀商城 --account main",
        "xinshi signature add 云雀商城 --account cloud --vendor-id csms123 --draft",
    )(add)
    options.command(group, "xinshi signature list --account main", name="list")(list_signatures)
    options.command(group, "xinshi signature show 2")(show)
    options.command(group, 'xinshi signature pause 2 --why "registration ran out"')(pause)
    options.command(group, "xinshi signature resume 2")(resume)
    app.add_typer(group)


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The brand, with or without 【】.")],
    *,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Who may use it.")],
    vendor_id: Annotated[
        str | None,
        typer.Option("--vendor-id", help="What the vendor calls it, where that is not the name."),
    ] = None,
    draft: Annotated[
        bool,
        typer.Option("--draft", help="Not approved yet: `xinshi signature resume` is for then."),
    ] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Add a signature that an account's vendor has registered; templates are bound with it."""
    with open_session(config) as session:
        from worker.intake import template_lookup, templates

        signature, is_new = templates.add_signature(
            session.engine,
            session.settings,
            account,
            name,
            vendor_id,
            operator_name(),
            draft=draft,
        )
    if as_json:
        output.print_json({**template_lookup.signature_json(signature), "added": is_new})
        return
    if not is_new:
        output.print_hint("it was there already")
    print_signatures([signature])


def list_signatures(
    *,
    account: options.AccountName = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List the signatures of all accounts, or of one."""
    with open_session(config) as session:
        from worker.intake import template_lookup
        from worker.store.db import database
        from worker.store.templates import signatures

        with database.reading(session.engine) as connection:
            rows = signatures.list_signatures(connection, account)
        if account is not None and not rows:
            session.account(account)
    if as_json:
        output.print_json([template_lookup.signature_json(row) for row in rows])
    elif rows:
        print_signatures(rows)
    else:
        output.print_hint("there is no signature; see `xinshi signature add --help`")


def show(
    signature_id: _SignatureId, *, as_json: options.Json = False, config: options.Config = None
) -> None:
    """Show a signature and the bindings that it goes with."""
    with open_session(config) as session:
        from worker.intake import template_lookup
        from worker.store.db import database

        with database.reading(session.engine) as connection:
            signature, bindings = template_lookup.find_signature(connection, signature_id)
    if as_json:
        bindings_json = [template_lookup.binding_json(binding) for binding in bindings]
        output.print_json({**template_lookup.signature_json(signature), "bindings": bindings_json})
        return
    print_signatures([signature])
    if bindings:
        output.print_line("")
        print_bindings(bindings)
    else:
        output.print_hint("no template is bound with it")


def pause(
    signature_id: _SignatureId,
    *,
    refused: Annotated[bool, typer.Option("--refused", help="Its vendor refused it.")] = False,
    why: options.Why = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Take a signature out of use: no binding with it is used until it is resumed."""
    state = RegistrationState.REFUSED if refused else RegistrationState.PAUSED
    _move(signature_id, state, why, as_json=as_json, config=config)


def resume(
    signature_id: _SignatureId,
    *,
    why: options.Why = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Let a signature be used: its vendor approved it, or what paused it is mended."""
    _move(signature_id, RegistrationState.APPROVED, why, as_json=as_json, config=config)


def _move(
    signature_id: int,
    state: RegistrationState,
    why: str | None,
    *,
    as_json: bool,
    config: options.Config,
) -> None:
    with open_session(config) as session:
        from worker.intake import template_lookup, templates

        signature, is_moved = templates.move_signature(
            session.engine, signature_id, state, operator_name(), why
        )
    if as_json:
        output.print_json({**template_lookup.signature_json(signature), "changed": is_moved})
        return
    if not is_moved:
        output.print_hint("it was so already")
    print_signatures([signature])
