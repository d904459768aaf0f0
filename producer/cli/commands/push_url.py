"""`xinshi account push-url`: print the address to enter at the vendor, so that it pushes to us."""

from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import failures, options, output
from producer.cli.groups import account_group
from producer.cli.session import Session, open_session

if TYPE_CHECKING:
    from worker.gateways.base import Account


def register(_app: typer.Typer) -> None:
    """Add the command to the group `account`."""
    options.command(account_group, "xinshi account push-url codes", name="push-url")(push_url)


def push_url(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    *,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Print the address that an account's gateway pushes reports and replies to.

    It holds a token that nobody can guess: who has it can push. With two tokens both addresses
    work: enter the new one, then take the old one out of the configuration.
    """
    with open_session(config) as session:
        from worker.domain import secret_fields
        from worker.domain.enums import Reports

        account = session.account(name)
        if Reports.PUSH not in account.gateway.capabilities.reports:
            output.print_error(f"{name}: its gateway pushes nothing")
            raise typer.Exit(failures.FAILED)
        urls = push_urls(session, account)
    if as_json:
        output.print_json(urls)
        return
    for url in urls:
        output.print_line(url)
    if not urls:
        output.print_error(
            f"accounts.{name} has no push_tokens; add this and restart the web process:"
        )
        output.print_line(f'push_tokens = ["{secret_fields.make_secret()}"]')
        raise typer.Exit(failures.FAILED)
    if session.settings.top.web.public_url is None:
        output.print_hint(
            "put the address in front by which the vendor reaches you; see web.public_url"
        )


def push_urls(session: Session, account: "Account") -> list[str]:
    """Return the addresses that an account's gateway can push to, one for each token."""
    web = session.settings.top.web
    base = web.public_url or f"http://{web.host}:{web.port}"
    tokens = (push_token.get_secret_value() for push_token in account.settings.push_tokens)
    return [f"{base}/push/{account.name}/{token}" for token in tokens]
