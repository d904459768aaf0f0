"""`xinshi template`: add templates, say how accounts send them, take them out of use and back."""

from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import options, output, parsing
from producer.cli.registration_report import print_bindings
from producer.cli.session import open_session, operator_name
from producer.cli.template_report import print_previews, print_record, record_json
from producer.cli.value_names import NamedValuesGroup
from worker.domain.enums import MessageClass, PlanKind, RegistrationState

if TYPE_CHECKING:
    from worker.domain.renderings import ValueLimits

group = typer.Typer(
    cls=NamedValuesGroup,
    name="template",
    help="Texts with named values, which senders call by their keys, and who sends them how.",
    no_args_is_help=True,
    epilog=options.example_lines(
        'xinshi template add login --class otp --text "您的验证码是{code}"',
        "xinshi template bind login --account main --signature 云雀商城",
        "xinshi template show login --value code=4711",
    ),
)

_Key = Annotated[str, typer.Argument(metavar="KEY", help="As `xinshi template list` shows it.")]
_BindingId = Annotated[
    int, typer.Argument(metavar="BINDING", help="Its id: `xinshi template show KEY`.")
]
_Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=RULES",
        help="What a value may be: code=4-6,digits or name=-20,no-links or name=not:,; Repeat it.",
    ),
]
_Version = Annotated[
    int | None, typer.Option("--version", min=1, help="Which version; else the newest.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(
        group,
        'xinshi template add login --class otp --text "您的验证码是{code}" --limit code=4-6,digits',
        name="add",
    )(add)
    options.command(group, "xinshi template list", name="list")(list_templates)
    options.command(
        group, "xinshi template show login", "xinshi template show login --value code=4711"
    )(show)
    options.command(
        group,
        "xinshi template bind login --account main --signature 云雀商城",
        "xinshi template bind login --account cloud --vendor-id SMS_1 --plan object"
        " --parameters 验证码=code",
        "xinshi template bind login --account cloud --vendor-id 1234 --plan positions --draft",
    )(bind)
    options.command(group, 'xinshi template pause 3 --why "a complaint"')(pause)
    options.command(group, "xinshi template resume 3")(resume)
    app.add_typer(group)


def add(
    key: Annotated[str, typer.Argument(metavar="KEY", help="What senders call it.")],
    *,
    text: Annotated[
        str,
        typer.Option("--text", help="With {name} for each value and no signature; - reads it."),
    ],
    message_class: options.Class = MessageClass.NOTICE,
    limit: _Limit = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Add a template, or the next version of one; versions that are there never change.

    Nothing is sent with it until it is bound to an account. The newest version that some account
    may send is the one that is sent.
    """
    body, limits = parsing.text(text), _limits(limit)
    with open_session(config) as session:
        from worker.intake import template_lookup, templates

        new_template = templates.NewTemplate(key, message_class, body, limits)
        added = templates.add_template(
            session.engine, session.settings, new_template, operator_name()
        )
    output.print_warnings(added.warnings)
    template = added.template
    if as_json:
        output.print_json({**template_lookup.template_json(template), "added": added.is_new})
        return
    if added.is_new:
        output.print_line(f"{template.key} has version {template.version}")
    else:
        output.print_line(f"{template.key} is so already, as version {template.version}")
    output.print_hint(f"`xinshi template bind {template.key} --account …` says how one sends it")


def list_templates(*, as_json: options.Json = False, config: options.Config = None) -> None:
    """List the templates, with the version that is sent now."""
    with open_session(config) as session:
        from worker.intake import template_lookup
        from worker.store.db import database
        from worker.store.templates import usable, versions

        with database.reading(session.engine) as connection:
            templates = versions.list_newest(connection)
            sent_versions = usable.usable_keys(connection, session.settings.accounts)
    if as_json:
        output.print_json(
            [
                {
                    **template_lookup.template_json(template),
                    "usable_version": sent_versions.get(template.key),
                }
                for template in templates
            ]
        )
    elif templates:
        rows = [
            (
                template.key,
                template.message_class.value,
                template.version,
                sent_versions.get(template.key, "none"),
                template.body,
            )
            for template in templates
        ]
        output.print_table(("key", "class", "newest", "sent", "body"), rows)
    else:
        output.print_hint("there is no template; see `xinshi template add --help`")


def show(
    key: _Key,
    *,
    value: Annotated[
        list[str] | None,
        typer.Option(
            "--value", metavar="NAME=VALUE", help="An example: shows the text and its segments."
        ),
    ] = None,
    version: _Version = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Show a template: its versions, how accounts send them, and what a text would look like."""
    values = parsing.name_value_pairs(value, "--value")
    with open_session(config) as session:
        from worker.intake import template_lookup, templates
        from worker.store.db import database

        with database.reading(session.engine) as connection:
            record = template_lookup.find_template(connection, key)
            chosen = templates.find_version(connection, key, version or record.usable_version)
        # Without values there is a text only where the template has none.
        previews = (
            template_lookup.preview(session.settings, record, chosen.version, values)
            if values or "{" not in chosen.body
            else []
        )
    if as_json:
        output.print_json(record_json(record, previews))
        return
    print_record(record, version)
    if record.bindings:
        output.print_line("")
        print_bindings(
            [row for row in record.bindings if version is None or row.version == version]
        )
    else:
        output.print_hint(f"no account sends it; `xinshi template bind {key} --account …`")
    if previews:
        output.print_line("")
        print_previews(previews)


def bind(
    key: _Key,
    *,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Who sends it.")],
    version: _Version = None,
    vendor_id: Annotated[
        str | None, typer.Option("--vendor-id", help="The vendor's id of its template.")
    ] = None,
    plan: Annotated[
        PlanKind | None,
        typer.Option("--plan", help="How the account takes values; without a vendor's id: text."),
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(
            "--parameters",
            metavar="NAMES",
            help="The values in the vendor's order: code,minutes; with the vendor's names:"
            " 验证码=code,minutes. Else as the text has them.",
        ),
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="NAME|ID", help="One of the account's signatures."),
    ] = None,
    limit: _Limit = None,
    draft: Annotated[
        bool,
        typer.Option("--draft", help="Not approved yet: `xinshi template resume` is for then."),
    ] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say how an account sends a version of a template; from then on it may, unless --draft.

    A binding never changes. To correct one, pause it and bind the template anew.
    """
    limits = _limits(limit)
    with open_session(config) as session:
        from worker.intake import template_lookup, templates

        new_binding = templates.NewBinding(
            key, account, version, vendor_id, plan, parameters, signature, limits, draft
        )
        added = templates.bind(session.engine, session.settings, new_binding, operator_name())
    output.print_warnings(added.warnings)
    if as_json:
        output.print_json({**template_lookup.binding_json(added.binding), "added": added.is_new})
        return
    if not added.is_new:
        output.print_hint("it is bound so already")
    print_bindings([added.binding])


def pause(
    binding_id: _BindingId,
    *,
    refused: Annotated[bool, typer.Option("--refused", help="Its vendor refused it.")] = False,
    why: options.Why = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Take a binding out of use: nothing more is sent by it until it is resumed."""
    state = RegistrationState.REFUSED if refused else RegistrationState.PAUSED
    _move(binding_id, state, why, as_json=as_json, config=config)


def resume(
    binding_id: _BindingId,
    *,
    why: options.Why = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Let a binding be used: its vendor approved it, or what paused it is mended."""
    _move(binding_id, RegistrationState.APPROVED, why, as_json=as_json, config=config)


def _move(
    binding_id: int,
    state: RegistrationState,
    why: str | None,
    *,
    as_json: bool,
    config: options.Config,
) -> None:
    with open_session(config) as session:
        from worker.intake import template_lookup, templates

        binding, is_moved = templates.move_binding(
            session.engine, binding_id, state, operator_name(), why
        )
    if as_json:
        output.print_json({**template_lookup.binding_json(binding), "changed": is_moved})
        return
    if not is_moved:
        output.print_hint("it was so already")
    print_bindings([binding])


def _limits(arguments: list[str] | None) -> "dict[str, ValueLimits]":
    """Return the limits of values that --limit gives. Raises `Refused`."""
    from worker.domain import limit_syntax

    rules = parsing.name_value_pairs(arguments, "--limit")
    return {name: limit_syntax.parse(f"limits.{name}", rule) for name, rule in rules.items()}
