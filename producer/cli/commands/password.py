"""`xinshi account password`: change an account's password at its gateway, by hand."""

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from producer.cli import failures, options, output
from producer.cli.groups import account_group
from producer.cli.session import Session, open_session, operator_name
from producer.waiting.account_words import hold_words

if TYPE_CHECKING:
    import httpx

    from worker.gateways.base import Account
    from worker.gateways.results import Result


def register(_app: typer.Typer) -> None:
    """Add the command to the group `account`."""
    options.command(account_group, "xinshi account password bulk")(password)


def password(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    *,
    config: options.Config = None,
) -> None:
    """Change an account's password at its gateway, and say what to change in the configuration.

    The new password is asked for twice and stands nowhere on the command line.
    """
    import asyncio

    with open_session(config) as session:
        account = session.account(name)
        _refuse_if_impossible(session, account)
        request = _prompt_request(account)
        with failures.interruptible(lambda: "nobody knows whether the password was changed"):
            result = asyncio.run(_send_request(session.settings.top.transport, account, request))
        _print_result(session, account, result)


def _refuse_if_impossible(session: Session, account: "Account") -> None:
    """End with an error when the gateway has no call for it, or holds the account.

    A person's own hold is how a password is changed while nothing goes out.
    """
    from worker.delivery import manual_hold
    from worker.store import accounts
    from worker.store.db import database

    if account.gateway.password_request("") is None:
        _fail(f"{account.name}: its gateway has no call for that; ask its provider")
    with database.reading(session.engine) as connection:
        state = accounts.states(connection, session.settings.logins).get(account.name)
    if state and state.held and state.held_code != manual_hold.HAND_HOLD_CODE:
        _fail(
            f"{account.name} is held ({hold_words(state)}) and is asked for nothing;"
            f" `xinshi account release {account.name}` first"
        )


def _prompt_request(account: "Account") -> "httpx.Request":
    """Ask for the new password, and return the request that sets it."""
    new_password = typer.prompt(
        "New password", hide_input=True, confirmation_prompt="The same again"
    )
    try:
        request = account.gateway.password_request(new_password)
    except UnicodeEncodeError:
        request = None
    if request is None:
        _fail("the new password holds a character that the gateway cannot take")
    return request


async def _send_request(transport: str, account: "Account", request: "httpx.Request") -> "Result":
    """Send the request; returns the gateway's result, or `NOT_SENT` or `UNKNOWN` without one."""
    from worker.domain.enums import Outcome
    from worker.domain.errors import NotSent, OutcomeUnknown
    from worker.gateways import reading
    from worker.gateways.results import Result
    from worker.gateways.transport.client import GatewayClient

    client = GatewayClient(transport, connections=1)
    try:
        settings = account.settings
        response = await client.call(request, settings.timeout, egress=settings.egress)
    except NotSent as error:
        return Result(Outcome.NOT_SENT, words=str(error))
    except OutcomeUnknown as error:
        return Result(Outcome.UNKNOWN, words=str(error))
    finally:
        await client.close()
    return reading.read_password(account.gateway, response)


def _print_result(session: Session, account: "Account", result: "Result") -> None:
    """Print what to do after the change, or end with an error when the password is not changed."""
    from worker.domain.enums import Outcome

    answer = f"{result.code} {result.words}".strip()
    if result.outcome is Outcome.NOT_SENT:
        _fail(f"the gateway was not reached, the old password holds: {answer}")
    if result.outcome is Outcome.UNKNOWN:
        _fail(f"nobody knows whether the password was changed: {answer}; try both")
    if result.outcome is not Outcome.ACCEPTED:
        _fail(f"the gateway refused, the old password holds: {answer}")
    _record_event(session, account)
    output.print_line("the password is changed; now")
    output.print_line(
        f"1. write the new one where {' or '.join(_secret_keys(account))} has the old one"
    )
    output.print_line(
        "2. restart what runs: until then every call is refused, and the account is held"
    )
    output.print_line(f"3. `xinshi account release {account.name}`, if it is held by then")


def _record_event(session: Session, account: "Account") -> None:
    from worker.store import events
    from worker.store.db import database

    with database.writing(session.engine) as connection:
        events.add(connection, "account.password_changed", operator_name(), account=account.name)


def _secret_keys(account: "Account") -> list[str]:
    """Return the keys of the account's section in the configuration that hold its login's secret.

    Those that every account has, as `proxy`, are others'.
    """
    from pydantic import SecretStr

    from worker.gateways.account_settings import AccountSettings

    settings = account.settings
    return [
        f"accounts.{account.name}.{name}"
        for name in type(settings).model_fields.keys() - AccountSettings.model_fields.keys()
        if isinstance(getattr(settings, name), SecretStr)
    ]


def _fail(reason: str) -> NoReturn:
    output.print_error(reason)
    raise typer.Exit(failures.FAILED)
