"""`xinshi route`: say which account would carry a text, and why not the others; sends nothing."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output, parsing, stop_notices
from producer.cli.session import Session, open_session
from producer.waiting.account_words import exclusion_words, probe_words
from worker.domain.enums import MessageClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.domain.errors import Problem
    from worker.intake.enqueue_request import EnqueueRequest
    from worker.policy.eligibility import AccountOption, RoutingQuery
    from worker.store.accounts import AccountState
    from worker.store.templates.usable import RegisteredTemplate

_To = Annotated[
    str, typer.Option("--to", metavar="NUMBER", help="The number; - is standard input.")
]


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
    text: options.Text = "",
    message_class: options.Class = MessageClass.NOTICE,
    account: options.RequiredAccount = None,
    extension: options.Extension = None,
    template: options.Template = None,
    var: options.Var = None,
    option: options.GatewayOption = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say which account would carry a text now, with what chance, and why not the others.

    Nothing is stored or sent. The exit code is 0 if an account would take it now, 1 if it would
    have to wait, 2 if the input is wrong or no account can ever carry it.
    """
    numbers, content = parsing.numbers_and_text([to], text)
    msisdn = parsing.msisdn(",".join(numbers), "--to")
    with open_session(config) as session:
        from worker.intake.enqueue_request import EnqueueRequest

        if account is not None:
            session.account(account)
        request = EnqueueRequest(
            [msisdn],
            content,
            message_class,
            account,
            extension=extension,
            template=template,
            variables=parsing.name_value_pairs(var, "--var") or None,
            options=parsing.gateway_options(option) or None,
        )
        problems, registered = _find_problems(session, request)
        rows = _account_rows(session, request, registered)
        stop_sentences = stop_notices.notices(session, [message_class])
    for sentence in stop_sentences:
        output.print_hint(f"it would wait: {sentence}")
    if as_json:
        problems_json = [{"where": problem.where, "what": problem.what} for problem in problems]
        output.print_json(
            {"to": msisdn, "class": message_class.value, "problems": problems_json}
            | _rows_json(rows)
        )
    else:
        _print_rows(rows, problems)
    if problems:
        raise typer.Exit(failures.USAGE)
    if stop_sentences or not any(row["chance"] or row["probe"] for row in rows):
        raise typer.Exit(failures.FAILED)


def _find_problems(
    session: Session, request: "EnqueueRequest"
) -> "tuple[Sequence[Problem], RegisteredTemplate | None]":
    """Return the problems for which `send` would refuse the request, and its template."""
    from worker.domain.errors import Refused
    from worker.intake import enqueue, template_choice

    registered = None
    try:
        registered = template_choice.look_up(session.engine, session.settings, request)
        enqueue.check(session.settings, request, registered)
    except Refused as refused:
        return refused.problems, registered
    return (), registered


def _account_rows(
    session: Session, request: "EnqueueRequest", registered: "RegisteredTemplate | None"
) -> list[dict[str, Any]]:
    """Return a row for each account, chosen among as a worker does when it claims."""
    from worker.delivery.claim import begin_claim
    from worker.policy.eligibility import Exclusion
    from worker.store import accounts
    from worker.store.db import database

    with database.reading(session.engine) as connection:
        selector = begin_claim(connection, session.settings, request.message_class, "").selector
        account_options = selector.options(_routing_query(request, registered))
        states = accounts.states(connection, session.settings.logins)
    rows = []
    for account_option in account_options:
        name = account_option.account.name
        row = _account_row(account_option, request, states.get(name))
        row["probe"] = account_option.exclusion is Exclusion.DOUBT and selector.may_probe(name)
        if account_option.exclusion is Exclusion.DOUBT:
            row["why"] = probe_words(unproven=selector.doubts[name].unproven, probe=row["probe"])
        rows.append(row)
    return rows


def _routing_query(
    request: "EnqueueRequest", registered: "RegisteredTemplate | None"
) -> "RoutingQuery":
    """Return the query by which a worker would look for an account for the request."""
    from worker.domain import carriers, msisdn
    from worker.intake import enqueue, template_forms

    (number,) = request.to
    number_kind = msisdn.kind(number)
    return template_forms.routing_query(
        registered,
        enqueue.render_content(request, [], registered),
        request.message_class,
        request.account,
        [number_kind] if number_kind else [],
        carriers.carrier(number),
    )


def _rows_json(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows as JSON shows them, with the account that is likeliest to carry the text."""
    likeliest = max(rows, key=lambda row: (row["chance"], row["probe"]), default=None)
    is_taken = likeliest is not None and bool(likeliest["chance"] or likeliest["probe"])
    return {"likely": likeliest["name"] if likeliest and is_taken else None, "accounts": rows}


def _account_row(
    account_option: "AccountOption", request: "EnqueueRequest", state: "AccountState | None"
) -> dict[str, Any]:
    settings = account_option.account.settings
    return {
        "name": account_option.account.name,
        "gateway": account_option.account.gateway.name,
        "priority": settings.priority,
        "weight": settings.weight,
        "share": account_option.share,
        "chance": round(account_option.chance, 4),
        "out": account_option.exclusion.value if account_option.exclusion else None,
        "why": exclusion_words(account_option, request.message_class, request.account, state),
    }


def _print_rows(rows: list[dict[str, Any]], problems: "Sequence[Problem]") -> None:
    for problem in problems:
        output.print_error(str(problem))
    output.print_table(
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
