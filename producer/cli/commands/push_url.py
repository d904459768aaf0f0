"""`xinshi account push-url`: what to enter at the vendor, so that it pushes to us."""

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import failures, options, output
from producer.cli.session import Session, opened

if TYPE_CHECKING:
    from worker.gateways.base import Account


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
    with opened(config) as here:
        from worker.domain.enums import Reports

        account = here.account(name)
        if Reports.PUSH not in account.gateway.capabilities.reports:
            output.error(f"{name}: its gateway pushes nothing")
            raise typer.Exit(failures.FAILED)
        found = addresses(here, account)
    if as_json:
        output.as_json(found)
        return
    for one in found:
        output.line(one)
    if not found:
        output.error(f"accounts.{name} has no push_tokens; add this and restart the web process:")
        output.line(f'push_tokens = ["{secrets.token_urlsafe(24)}"]')
        raise typer.Exit(failures.FAILED)
    if here.settings.top.web.public_url is None:
        output.hint("put the address in front by which the vendor reaches you; see web.public_url")


def addresses(here: Session, account: "Account") -> list[str]:
    """Return an account's addresses, one for each token."""
    web = here.settings.top.web
    base = web.public_url or f"http://{web.host}:{web.port}"
    tokens = (one.get_secret_value() for one in account.settings.push_tokens)
    return [f"{base}/push/{account.name}/{token}" for token in tokens]
