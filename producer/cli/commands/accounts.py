"""`xinshi accounts`, `balance` and `account`: whether they are held, and what is left there."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import (
    failures,
    options,
    output,
    pace_report,
)
from producer.cli.session import Session, opened

if TYPE_CHECKING:
    from producer.cli.account_calls import AccountAnswer
    from worker.gateways.base import Account
    from worker.store.accounts import AccountState

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]

group = typer.Typer(
    name="account",
    help="One account: hold it, release it, change its password.",
    no_args_is_help=True,
    epilog=options.examples(
        'xinshi account hold bulk --why "contract under review"', "xinshi account release bulk"
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(app, "xinshi accounts", "xinshi accounts --json", name="accounts")(listed)
    options.command(app, "xinshi balance", "xinshi balance --account bulk")(balance)
    app.add_typer(group)
    from producer.cli.commands import password, push_url

    options.command(group, "xinshi account password bulk")(password.password)
    options.command(group, "xinshi account push-url codes", name="push-url")(push_url.push_url)


def listed(*, as_json: options.Json = False, config: options.Config = None) -> None:
    """List the accounts: what they serve, why they are held, what is left, how fast they may go."""
    with opened(config) as here:
        states = _states(here)
        paces = pace_report.standing(here)
        accounts = list(here.settings.accounts.values())
    if as_json:
        output.as_json(
            [
                _as_json(one, states.get(one.name))
                | {"pace": pace_report.as_json(one, paces[one.name])}
                for one in accounts
            ]
        )
        return
    if not accounts:
        output.hint("no account is configured")
        return
    rows = [
        (*_row(one, states.get(one.name)), pace_report.brief(one, paces[one.name]))
        for one in accounts
    ]
    standing = ("state", "since", "until", "share")
    output.table(("account", "gateway", "classes", *standing, "balance", "pace"), rows)
    for one in accounts:
        state = states.get(one.name)
        if state and state.held:
            output.line(f"{one.name}: {advice(one, state)}")
        if state and not state.health.well:
            output.line(f"{one.name}: {share(state)}")
        for said in pace_report.advice(one, paces[one.name]):
            output.line(said)


def balance(
    *,
    account: options.AccountName = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Ask the accounts now what is left; one that is held is not asked, its last word is shown."""
    with opened(config) as here:
        from producer.cli import account_calls

        answers = account_calls.ask(here, account_calls.CallKind.BALANCE, account)
        states = _states(here)
    if as_json:
        output.as_json([_balance(one, states.get(one.account)) for one in answers])
    elif answers:
        rows = [row for one in answers for row in _pools(one, states.get(one.account))]
        output.table(("account", "pool", "remaining", "paid", "sent", "as of", ""), rows)
    else:
        output.hint("no account can be asked for its balance")
    if any(one.failed for one in answers):
        raise typer.Exit(failures.FAILED)


@options.command(group, 'xinshi account hold bulk --why "contract under review"')
def hold(
    name: _Name,
    *,
    why: Annotated[str, typer.Option("--why", help="The reason; it is shown.")] = "",
    config: options.Config = None,
) -> None:
    """Send nothing through an account, until it is released; its messages wait."""
    with opened(config) as here:
        from producer.cli.account_calls import person
        from worker.delivery import manual_hold

        here.account(name)
        manual_hold.hold(here.engine, name, why, person())
    output.line(f"{name} is held; `xinshi account release {name}` lets it go on")


@options.command(group, "xinshi account release bulk")
def release(
    name: _Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask back.")] = False,
    config: options.Config = None,
) -> None:
    """Let an account that is held take messages again: one asks first, the rest follows.

    Asks back when the gateway refused its login and the configuration has no other yet.
    """
    with opened(config) as here:
        state = _states(here).get(name)
        if state is None:
            here.account(name)
        if state is None or not state.held:
            output.line(f"{name} was not held")
            return
        from producer.cli.account_calls import person
        from worker.delivery import manual_hold

        if manual_hold.is_refused_again(here.settings.logins, state) and not yes:
            _ask_back(state)
        manual_hold.release(here.engine, here.settings.logins, state, person())
    follows = ": one text asks first, the rest follows once the gateway has taken it"
    output.line(f"{name} goes on{'' if state.held_code == manual_hold.BY_HAND else follows}")


def _ask_back(state: "AccountState") -> None:
    output.error(
        f"{state.account}: the gateway refused its login ({why(state)}), and the configuration"
        " that is read here has no other; the next call will be refused too, and repeats may lock"
        " the account"
    )
    if not typer.confirm("Release it all the same?"):
        raise typer.Exit(failures.FAILED)


def advice(account: "Account | None", state: "AccountState") -> str:
    """Say what to do about a hold: the code table's remedy, and how the account goes on."""
    from worker.delivery import manual_hold

    release = f"`xinshi account release {state.account}`"
    if state.held_code == manual_hold.BY_HAND:
        return f"held by hand; {release} lets it go on"
    parts = [_remedy(account, state)]
    if state.held_until is not None:
        parts.append(
            f"goes on by itself at {output.local(state.held_until)}; {release} does so now"
        )
    elif state.held_login is not None:
        parts.append(f"goes on by itself with another login; with the same one, {release}")
    else:
        parts.append(f"then {release}")
    return "; ".join(filter(None, parts))


def _remedy(account: "Account | None", state: "AccountState") -> str:
    code, words = state.held_code or "", state.held_why or ""
    if account is None:
        return ""
    table = account.gateway.table
    if not table.read(code, words).mapped:
        return (
            "the gateway refuses a login that it has never accepted, in words that no table has:"
            f" mend the login, or say under [accounts.{account.name}.codes] what they mean"
        )
    return table.remedy(code, words) or "mend what the gateway complains of"


def why(state: "AccountState") -> str:
    """Say why an account is held: the gateway's code and words."""
    return " ".join(filter(None, [state.held_code, state.held_why]))


def share(state: "AccountState") -> str:
    """Say what share of its traffic an account gets, why, and since when."""
    from datetime import datetime

    health = state.health
    parts = [f"{health.share:.0%} of its traffic"] if health.share < 1 else []
    parts += [f"{part:.0%} of {one}'s" for one, part in health.carriers.items() if part < 1]
    since = f" since {output.local(datetime.fromisoformat(health.since))}" if health.since else ""
    return f"gets {', '.join(parts)}{since}: {health.why}; it comes back by itself"


def _states(here: Session) -> "dict[str, AccountState]":
    from worker.store import accounts
    from worker.store.db import database

    with database.reading(here.engine) as connection:
        return accounts.states(connection, here.settings.logins)


def _classes(account: "Account") -> list[str]:
    from worker.domain.enums import MessageClass

    return [one.value for one in MessageClass if account.settings.serves(one)]


def _as_json(account: "Account", state: "AccountState | None") -> dict[str, Any]:
    from worker.intake.lookup import stamp

    held = state is not None and state.held
    return {
        "name": account.name,
        "gateway": account.gateway.name,
        "classes": _classes(account),
        "reports": account.reports.value,
        "held": held,
        "why": why(state) if state and held else None,
        "since": stamp(state.held_since) if state else None,
        "until": stamp(state.held_until) if state else None,
        "advice": advice(account, state) if state and held else None,
        "share": state.health.share if state else 1.0,
        "share_since": state.health.since if state else None,
        "share_why": state.health.why or None if state else None,
        "carriers": {one.value: part for one, part in state.health.carriers.items()}
        if state
        else {},
        "balance": dict(state.balance) if state and state.balance else None,
        "balance_at": stamp(state.balance_at) if state else None,
    }


def _row(account: "Account", state: "AccountState | None") -> Sequence[Any]:
    classes = ", ".join(_classes(account)) or "only by name"
    if state is None:
        return (account.name, account.gateway.name, classes, "ok", None, None, "100%", None)
    until = (output.brief(state.held_until) or "released") if state.held else None
    return (
        account.name,
        account.gateway.name,
        classes,
        f"held: {why(state)}" if state.held else "ok",
        output.brief(state.held_since),
        until,
        f"{state.health.share:.0%}",
        _left(state.balance),
    )


def _left(balance: Mapping[str, Any] | None) -> str | None:
    """Write what is left in the pools that an account draws on."""
    pools = [pool for pool in (balance or {}).get("pools", ()) if pool["used"]]
    return ", ".join(_amount(pool) for pool in pools) or None


def _amount(pool: Mapping[str, Any]) -> str:
    return "postpaid" if pool["remaining"] is None else str(pool["remaining"])


def _balance(answer: "AccountAnswer", state: "AccountState | None") -> dict[str, Any]:
    from worker.intake.lookup import stamp

    said = (state and state.balance) or {}
    return {
        "account": answer.account,
        "pools": said.get("pools", []),
        "sent": said.get("sent"),
        "at": stamp(state.balance_at) if state else None,
        "held": bool(state and state.held),
        "problem": answer.problem,
    }


def _pools(answer: "AccountAnswer", state: "AccountState | None") -> list[Sequence[Any]]:
    said = (state and state.balance) or {}
    at = state.balance_at if state else None
    pools = [
        (
            answer.account,
            pool["name"] + ("" if pool["used"] else " (not used)"),
            pool["remaining"],
            "postpaid" if pool["postpaid"] else "prepaid",
            said.get("sent"),
            at,
            answer.problem,
        )
        for pool in said.get("pools", ())
    ]
    return [*pools] or [(answer.account, None, None, None, said.get("sent"), at, answer.problem)]
