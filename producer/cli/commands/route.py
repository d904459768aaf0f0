"""`xinshi route`: which account would carry a text, and why not the others; nothing is sent."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output
from producer.cli.commands import accounts, send
from producer.cli.commands.messages import number
from producer.cli.session import Session, opened
from worker.domain.enums import MessageClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.domain.errors import Problem
    from worker.intake.enqueue import EnqueueRequest
    from worker.policy.routing import AccountOption, RoutingQuery
    from worker.store.accounts import AccountState

_To = Annotated[str, typer.Option("--to", metavar="NUMBER", help="The number.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(
        app,
        'xinshi route --to 13812345678 --text "【Shop】Your code is 4711" --class otp',
        'xinshi route --to 13812345678 --text "【Shop】Hello" --account bulk --json',
    )(route)


def route(
    *,
    to: _To,
    text: send.Text = "",
    message_class: options.Class = MessageClass.NOTICE,
    account: options.Carrier = None,
    extension: options.Extension = None,
    template: send.Template = None,
    var: send.Var = None,
    option: send.Option = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say which account would carry a text now, with what chance, and why not the others.

    Nothing is stored or sent. The exit code is 0 if an account would take it now, 1 if it would
    have to wait, 2 if the input is wrong or no account can ever carry it.
    """
    msisdn = number(to, "--to")
    with opened(config) as here:
        from worker.intake.enqueue import EnqueueRequest

        if account is not None:
            here.account(account)
        order = EnqueueRequest(
            [msisdn],
            send.body(text),
            message_class,
            account,
            extension=extension,
            template=template,
            variables=send.pairs(var, "--var") or None,
            options=send.options_of(option) or None,
        )
        problems = _problems(here, order)
        rows = _looked(here, order)
    if as_json:
        wrong = [{"where": one.where, "what": one.what} for one in problems]
        output.as_json({"to": msisdn, "class": message_class.value, "problems": wrong} | _all(rows))
    else:
        _show(rows, problems)
    if problems:
        raise typer.Exit(failures.USAGE)
    if not any(row["chance"] or row["probe"] for row in rows):
        raise typer.Exit(failures.FAILED)


def _problems(here: Session, order: "EnqueueRequest") -> "Sequence[Problem]":
    """Say what `send` would refuse."""
    from worker.domain.errors import Refused
    from worker.intake import enqueue

    try:
        enqueue.check(here.settings, order)
    except Refused as refused:
        return refused.problems
    return ()


def _looked(here: Session, order: "EnqueueRequest") -> list[dict[str, Any]]:
    """Ask as a worker does that looks for work now."""
    from worker.delivery import claim as claim_module
    from worker.policy.routing import Exclusion
    from worker.store import accounts
    from worker.store.db import database

    with database.reading(here.engine) as connection:
        claim = claim_module.look(connection, here.settings, order.message_class, "")
        found = claim.options(_asked(order))
        states = accounts.states(connection, here.settings.logins)
    rows = []
    for one in found:
        name = one.account.name
        row = _as_json(one, order, states.get(name))
        row["probe"] = one.out is Exclusion.DOUBT and claim.may_probe(name)
        if one.out is Exclusion.DOUBT:
            row["why"] = doubt(unproven=claim.doubts[name].unproven, probe=row["probe"])
        rows.append(row)
    return rows


def doubt(*, unproven: bool, probe: bool) -> str:
    """Say what a doubtful account waits for."""
    why = "its login was not accepted yet" if unproven else "its last calls ended in doubt"
    return f"{why}: {'the next one is its probe' if probe else 'it waits for its probe'}"


def _asked(order: "EnqueueRequest") -> "RoutingQuery":
    from datetime import UTC, datetime

    from worker.domain import carriers
    from worker.domain import msisdn as numbers
    from worker.intake import enqueue
    from worker.policy.routing import RoutingQuery

    (msisdn,) = order.to
    kind = numbers.kind(msisdn)
    return RoutingQuery(
        order.message_class,
        enqueue.content_of(order, []),
        [kind] if kind else [],
        datetime.now(UTC),
        order.account,
        single=True,
        carrier=carriers.carrier(msisdn),
    )


def _all(rows: list[dict[str, Any]]) -> dict[str, Any]:
    likely = max(rows, key=lambda row: (row["chance"], row["probe"]), default=None)
    takes = likely is not None and bool(likely["chance"] or likely["probe"])
    return {"likely": likely["name"] if likely and takes else None, "accounts": rows}


def _as_json(
    one: "AccountOption", order: "EnqueueRequest", state: "AccountState | None"
) -> dict[str, Any]:
    settings = one.account.settings
    return {
        "name": one.account.name,
        "gateway": one.account.gateway.name,
        "priority": settings.priority,
        "weight": settings.weight,
        "share": one.share,
        "chance": round(one.chance, 4),
        "out": one.out.value if one.out else None,
        "why": why(one, order.message_class, order.account, state),
    }


def why(
    one: "AccountOption",
    message_class: MessageClass,
    named: str | None,
    state: "AccountState | None",
) -> str:
    """Say why an account is not asked; of one that is, why it gets less than all."""
    from worker.policy.routing import Exclusion

    less = state.health.why if state and one.share < 1.0 else ""
    said = {
        Exclusion.CLASS: f"{named} was named" if named else f"does not serve {message_class.value}",
        Exclusion.CANNOT: "; ".join(problem.what for problem in one.because),
        Exclusion.HELD: f"held: {accounts.why(state)}" if state else "held",
        Exclusion.HOURS: f"its sending hours begin in {_span(one.wait)}",
        Exclusion.FULL: "; ".join(filter(None, ["as much is under way as may be", less])),
    }
    return said.get(one.out, less) if one.out else less


def _span(seconds: float) -> str:
    minutes = int(seconds // 60) + 1
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _show(rows: list[dict[str, Any]], problems: "Sequence[Problem]") -> None:
    for problem in problems:
        output.error(str(problem))
    output.table(
        ("account", "gateway", "priority", "weight", "share", "chance", ""),
        [
            (
                row["name"],
                row["gateway"],
                row["priority"],
                f"{row['weight']:g}",
                f"{row['share']:.0%}",
                f"{row['chance']:.0%}" if row["out"] is None else None,
                row["why"],
            )
            for row in rows
        ],
    )
