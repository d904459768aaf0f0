"""`xinshi account password`: change an account's password at its gateway, by hand."""

import asyncio
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from producer.cli import failures, options, output
from producer.cli.commands import accounts
from producer.cli.session import Session, opened

if TYPE_CHECKING:
    import httpx

    from worker.gateways.base import Account
    from worker.gateways.results import Result


def password(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    *,
    config: options.Config = None,
) -> None:
    """Change an account's password at its gateway, and say what to change in the configuration.

    The new password is asked for twice and stands nowhere on the command line.
    """
    with opened(config) as here:
        account = here.account(name)
        _may(here, account)
        request = _request(account)
        with failures.interruptible(lambda: "nobody knows whether the password was changed"):
            result = asyncio.run(_send(here.settings.top.transport, account, request))
        _tell(here, account, result)


def _may(here: Session, account: "Account") -> None:
    """Refuse at once where it cannot be done: no such call, or the account is held."""
    from worker.store import accounts as stored
    from worker.store.db import database

    if account.gateway.password_request("") is None:
        _fail(f"{account.name}: its gateway has no call for that; ask its provider")
    with database.reading(here.engine) as connection:
        state = stored.states(connection, here.settings.logins).get(account.name)
    if state and state.held:
        _fail(
            f"{account.name} is held ({accounts.why(state)}) and is asked for nothing;"
            f" `xinshi account release {account.name}` first"
        )


def _request(account: "Account") -> "httpx.Request":
    new = typer.prompt("New password", hide_input=True, confirmation_prompt="The same again")
    try:
        request = account.gateway.password_request(new)
    except UnicodeEncodeError:
        request = None
    if request is None:
        _fail("the new password holds a character that the gateway cannot take")
    return request


async def _send(transport: str, account: "Account", request: "httpx.Request") -> "Result":
    from worker.domain.enums import Outcome
    from worker.domain.errors import NotSent, OutcomeUnknown
    from worker.gateways.results import Result
    from worker.gateways.transport.client import GatewayClient

    wire = GatewayClient(transport, connections=1)
    try:
        response = await wire.call(request, account.settings.timeout)
    except NotSent as error:
        return Result(Outcome.NOT_SENT, words=str(error))
    except OutcomeUnknown as error:
        return Result(Outcome.UNKNOWN, words=str(error))
    finally:
        await wire.close()
    return account.gateway.read_password(response)


def _tell(here: Session, account: "Account", result: "Result") -> None:
    from worker.domain.enums import Outcome

    said = f"{result.code} {result.words}".strip()
    if result.outcome is Outcome.NOT_SENT:
        _fail(f"the gateway was not reached, the old password holds: {said}")
    if result.outcome is Outcome.UNKNOWN:
        _fail(f"nobody knows whether the password was changed: {said}; try both")
    if result.outcome is not Outcome.ACCEPTED:
        _fail(f"the gateway refused, the old password holds: {said}")
    _record(here, account)
    output.line("the password is changed; now")
    output.line(f"1. write the new one where {' or '.join(_keys(account))} has the old one")
    output.line("2. restart what runs: until then every call is refused, and the account is held")
    output.line(f"3. `xinshi account release {account.name}`, if it is held by then")


def _record(here: Session, account: "Account") -> None:
    from producer.cli.account_calls import person
    from worker.store import events
    from worker.store.db import database

    with database.writing(here.engine) as connection:
        events.add(connection, "account.password_changed", person(), account=account.name)


def _keys(account: "Account") -> list[str]:
    """Name the keys of the account's section that hold a secret."""
    from pydantic import SecretStr

    settings = account.settings
    return [
        f"accounts.{account.name}.{name}"
        for name in type(settings).model_fields
        if isinstance(getattr(settings, name), SecretStr)
    ]


def _fail(what: str) -> NoReturn:
    output.error(what)
    raise typer.Exit(failures.FAILED)
