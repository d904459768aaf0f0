"""`xinshi accounts`, `balance` and `account`: list accounts, ask for balances, hold, release."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output, pace_report, stop_notices
from producer.cli.account_report import hold_advice, share_notice
from producer.cli.groups import account_group
from producer.cli.session import Session, open_session, operator_name
from producer.waiting.account_words import hold_words

if TYPE_CHECKING:
    from producer.cli.account_calls import AccountAnswer
    from worker.gateways.base import Account
    from worker.store.accounts import AccountState

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(app, "xinshi accounts", "xinshi accounts --json", name="accounts")(
        list_accounts
    )
    options.command(app, "xinshi balance", "xinshi balance --account bulk")(balance)
    app.add_typer(account_group)


def list_accounts(*, as_json: options.Json = False, config: options.Config = None) -> None:
    """List the accounts: what they serve, why they are held, what is left, how fast they may go."""
    with open_session(config) as session:
        states = _account_states(session)
        pacings = pace_report.read_pacings(session)
        stops = stop_notices.read_stops(session)
        accounts = list(session.settings.accounts.values())
    if as_json:
        output.print_json(
            [
                _account_json(account, states.get(account.name))
                | {
                    "pace": pace_report.as_json(account, pacings[account.name]),
                    "stopped": [
                        message_class.value
                        for message_class in stops
                        if account.settings.serves(message_class)
                    ],
                }
                for account in accounts
            ]
        )
        return
    if not accounts:
        output.print_hint("no account is configured")
        return
    rows = [
        (
            *_account_row(account, states.get(account.name)),
            pace_report.limits_summary(account, pacings[account.name]),
        )
        for account in accounts
    ]
    state_headers = ("state", "since", "until", "share")
    output.print_table(("account", "gateway", "classes", *state_headers, "balance", "pace"), rows)
    for account in accounts:
        state = states.get(account.name)
        if state and state.held:
            output.print_line(f"{account.name}: {hold_advice(account, state)}")
        if state and not state.health.is_well:
            output.print_line(f"{account.name}: {share_notice(state)}")
        for notice in pace_report.pace_notices(account, pacings[account.name]):
            output.print_line(notice)
    for stop in stops.values():
        output.print_line(stop_notices.sentence(stop))


def balance(
    *,
    account: options.AccountName = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Ask the accounts now what is left; one that is held is not asked, its last word is shown."""
    with open_session(config) as session:
        from producer.cli import account_calls

        answers = account_calls.ask(session, account_calls.AccountCall.BALANCE, account)
        states = _account_states(session)
    if as_json:
        output.print_json([_balance_json(answer, states.get(answer.account)) for answer in answers])
    elif answers:
        rows = [row for answer in answers for row in _pool_rows(answer, states.get(answer.account))]
        output.print_table(("account", "pool", "remaining", "paid", "sent", "as of", ""), rows)
    else:
        output.print_hint("no account can be asked for its balance")
    if any(answer.failed for answer in answers):
        raise typer.Exit(failures.FAILED)


@options.command(account_group, 'xinshi account hold bulk --why "contract under review"')
def hold(
    name: _Name,
    *,
    reason: Annotated[str, typer.Option("--why", help="The reason; it is shown.")] = "",
    config: options.Config = None,
) -> None:
    """Send nothing through an account, until it is released; its messages wait."""
    with open_session(config) as session:
        from worker.delivery import manual_hold

        session.account(name)
        manual_hold.hold(session.engine, name, reason, operator_name())
    output.print_line(f"{name} is held; `xinshi account release {name}` lets it go on")


@options.command(account_group, "xinshi account release bulk")
def release(
    name: _Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask back.")] = False,
    config: options.Config = None,
) -> None:
    """Let an account that is held take messages again: one asks first, the rest follows.

    Asks back when the gateway refused its login and the configuration has no other yet.
    """
    with open_session(config) as session:
        state = _account_states(session).get(name)
        if state is None:
            session.account(name)
        if state is None or not state.held:
            output.print_line(f"{name} was not held")
            return
        from worker.delivery import manual_hold

        if manual_hold.is_refused_again(session.settings.logins, state) and not yes:
            _confirm_release(state, is_known=name in session.settings.logins.fingerprints)
        manual_hold.release(session.engine, state, operator_name())
    follows = ": one text asks first, the rest follows once the gateway has taken it"
    output.print_line(
        f"{name} goes on{'' if state.held_code == manual_hold.HAND_HOLD_CODE else follows}"
    )


def _confirm_release(state: "AccountState", *, is_known: bool) -> None:
    """Ask whether to release an account whose login was refused and, if known, has not changed."""
    login_now = (
        "the configuration that is read here has no other; the next call will be refused too"
        if is_known
        else "whether it has another one now cannot be known here; else the next call is refused"
    )
    output.print_error(
        f"{state.account}: the gateway refused its login ({hold_words(state)}), and"
        f" {login_now}, and repeats may lock the account"
    )
    if not typer.confirm("Release it all the same?"):
        raise typer.Exit(failures.FAILED)


def _account_states(session: Session) -> "dict[str, AccountState]":
    from worker.store import accounts
    from worker.store.db import database

    with database.reading(session.engine) as connection:
        return accounts.states(connection, session.settings.logins)


def _classes(account: "Account") -> list[str]:
    from worker.domain.enums import MessageClass

    return [
        message_class.value
        for message_class in MessageClass
        if account.settings.serves(message_class)
    ]


def _account_json(account: "Account", state: "AccountState | None") -> dict[str, Any]:
    from worker.intake.lookup import iso_time

    held = state is not None and state.held
    return {
        "name": account.name,
        "gateway": account.gateway.name,
        "classes": _classes(account),
        "reports": account.reports.value,
        "held": held,
        "why": hold_words(state) if state and held else None,
        "since": iso_time(state.held_since) if state else None,
        "until": iso_time(state.held_until) if state else None,
        "advice": hold_advice(account, state) if state and held else None,
        "share": state.health.share if state else 1.0,
        "share_since": state.health.since if state else None,
        "share_why": state.health.reason or None if state else None,
        "carriers": {carrier.value: share for carrier, share in state.health.carrier_shares.items()}
        if state
        else {},
        "balance": dict(state.balance) if state and state.balance else None,
        "balance_at": iso_time(state.balance_at) if state else None,
    }


def _account_row(account: "Account", state: "AccountState | None") -> Sequence[Any]:
    classes = ", ".join(_classes(account)) or "only by name"
    if state is None:
        return (account.name, account.gateway.name, classes, "ok", None, None, "100%", None)
    until = (output.short_local_time(state.held_until) or "released") if state.held else None
    return (
        account.name,
        account.gateway.name,
        classes,
        _status(state),
        output.short_local_time(state.held_since),
        until,
        f"{state.health.share:.0%}",
        _remaining(state.balance),
    )


def _status(state: "AccountState") -> str:
    """Say in words whether an account takes anything now."""
    if state.held:
        return f"held: {hold_words(state)}"
    if state.probe_at is not None:
        return f"in doubt: the next submission asks at {output.short_local_time(state.probe_at)}"
    return "ok"


def _remaining(balance: Mapping[str, Any] | None) -> str | None:
    """Return what is left in each pool that an account draws on, in one line."""
    pools = [pool for pool in (balance or {}).get("pools", ()) if pool["used"]]
    return ", ".join(_amount(pool) for pool in pools) or None


def _amount(pool: Mapping[str, Any]) -> str:
    return "postpaid" if pool["remaining"] is None else str(pool["remaining"])


def _balance_json(answer: "AccountAnswer", state: "AccountState | None") -> dict[str, Any]:
    from worker.intake.lookup import iso_time

    balance = (state and state.balance) or {}
    return {
        "account": answer.account,
        "pools": balance.get("pools", []),
        "sent": balance.get("sent"),
        "at": iso_time(state.balance_at) if state else None,
        "held": bool(state and state.held),
        "problem": answer.problem,
    }


def _pool_rows(answer: "AccountAnswer", state: "AccountState | None") -> list[Sequence[Any]]:
    balance = (state and state.balance) or {}
    balance_at = state.balance_at if state else None
    pools = [
        (
            answer.account,
            pool["name"] + ("" if pool["used"] else " (not used)"),
            pool["remaining"],
            "postpaid" if pool["postpaid"] else "prepaid",
            balance.get("sent"),
            balance_at,
            answer.problem,
        )
        for pool in balance.get("pools", ())
    ]
    return [*pools] or [
        (answer.account, None, None, None, balance.get("sent"), balance_at, answer.problem)
    ]
