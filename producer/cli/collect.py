"""`xinshi collect` and `inbound`: what gateways keep for us, and what came from handsets."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from producer.cli import faults, options, output
from producer.cli.messages import number
from producer.cli.session import opened


class _What(StrEnum):
    REPORTS = "reports"
    INBOUND = "inbound"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(app, "xinshi collect reports", "xinshi collect inbound --account bulk")(collect)
    options.command(app, "xinshi inbound --from 13812345678", "xinshi inbound --json")(inbound)


def collect(
    what: Annotated[_What, typer.Argument(help="Delivery reports, or texts from handsets.")],
    *,
    account: options.AccountName = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Collect reports or inbound messages now, once, instead of at the next tick.

    A held account is not asked. Where a gateway wants to be asked rarely, the command says when it
    may run, and exits with 0.
    """
    with opened(config) as here:
        from producer.cli import asking

        with faults.interruptible(lambda: "what was read is stored; workers collect the rest"):
            answers = asking.ask(here, asking.Kind(what.value), account)
    if as_json:
        output.as_json([one.collected() for one in answers])
    elif answers:
        rows = [(one.account, one.pages, one.new, one.said()) for one in answers]
        output.table(("account", "pages", "new", ""), rows)
    else:
        output.hint(f"no account has {what.value} to collect")
    if any(one.failed for one in answers):
        raise typer.Exit(faults.FAILED)


def inbound(
    *,
    sender: Annotated[
        str | None,
        typer.Option("--from", "--to", metavar="NUMBER", help="Only from this handset."),
    ] = None,
    account: options.AccountName = None,
    limit: options.Limit = 20,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List texts that came from handsets, the newest first."""
    msisdn = sender and number(sender, "--from")
    with opened(config) as here:
        from worker import database
        from worker.store import pages

        with database.reading(here.engine) as connection:
            rows = pages.inbound(connection, limit, msisdn=msisdn, account=account)
    if as_json:
        output.as_json([_as_json(row) for row in rows])
    elif rows:
        output.table(
            ("received", "number", "account", "extension", "text"),
            [(_received(row), row.msisdn, row.account, row.extension, row.text) for row in rows],
        )
    else:
        output.hint("nothing came in that fits")


def _as_json(row: Any) -> dict[str, Any]:
    return {
        "msisdn": row.msisdn,
        "text": row.text,
        "account": row.account,
        "extension": row.extension,
        "received_at": _received(row).isoformat(),
    }


def _received(row: Any) -> Any:
    """Return when the gateway says that it came, else when we stored it."""
    return row.received_at or row.stored_at
