"""`xinshi collect` and `inbound`: what gateways keep for us, and what came from handsets."""

from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import (
    failures,
    options,
    output,
    times,
)
from producer.cli.commands.messages import number
from producer.cli.session import opened

if TYPE_CHECKING:
    from pathlib import Path


group = typer.Typer(
    name="collect",
    help="What gateways keep for us: collect it now, or read again what was collected.",
    no_args_is_help=True,
    epilog=options.examples(
        "xinshi collect reports",
        "xinshi collect inbound --account bulk",
        "xinshi collect reparse --damaged --dry-run",
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(group, "xinshi collect reports", name="reports")(collect_reports)
    options.command(group, "xinshi collect inbound --account bulk", name="inbound")(collect_inbound)
    again = "xinshi collect reparse --account bulk --since 2026-11-20"
    options.command(group, again, f"{again} --dry-run", name="reparse")(reparse)
    app.add_typer(group)
    options.command(app, "xinshi inbound --from 13812345678", "xinshi inbound --json")(inbound)


def collect_reports(
    *,
    account: options.AccountName = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Collect delivery reports now, once, instead of at the next tick.

    A held account is not asked.
    """
    _collect("reports", account, config, as_json=as_json)


def collect_inbound(
    *,
    account: options.AccountName = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Collect texts from handsets now, once, instead of at the next tick.

    A held account is not asked. Where a gateway wants to be asked rarely, the command says when it
    may run, and exits with 0.
    """
    _collect("inbound", account, config, as_json=as_json)


def _collect(what: str, account: str | None, config: "Path | None", *, as_json: bool) -> None:
    with opened(config) as here:
        from producer.cli import account_calls

        with failures.interruptible(lambda: "what was read is stored; workers collect the rest"):
            answers = account_calls.ask(here, account_calls.CallKind(what), account)
    if as_json:
        output.as_json([one.collected() for one in answers])
    elif answers:
        rows = [(one.account, one.pages, one.new, one.said()) for one in answers]
        output.table(("account", "pages", "new", ""), rows)
    else:
        output.hint(f"no account has {what} to collect")
    if any(one.failed for one in answers):
        raise typer.Exit(failures.FAILED)


def reparse(
    *,
    account: options.AccountName = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what came since then.")
    ] = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Only what could not be read, or not wholly.")
    ] = False,
    ids: Annotated[
        list[int] | None, typer.Option("--id", help="Only these, as logs and events name them.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Read stored pages and pushes again, after their reader was mended. Nothing counts twice.

    What is read as before changes nothing; what is read otherwise is corrected, what was not read
    before is added. No gateway is asked. Exit code 1 if something still cannot be read.
    """
    at = times.before(since, "--since")
    with opened(config) as here:
        from producer.cli.account_calls import person
        from worker.feedback import reparse as reparse_module
        from worker.store import inbox
        from worker.store.db import database

        with database.reading(here.engine) as connection:
            wanted = inbox.kept(connection, account=account, since=at, ids=ids, damaged=damaged)
        with failures.interruptible(lambda: "what was read again is stored"):
            act = not dry_run
            found = list(
                reparse_module.reread(here.engine, here.settings, wanted, who=person(), act=act)
            )
    changed = [one for one in found if one.changes]
    if as_json:
        output.as_json([asdict(one) for one in changed])
    elif changed:
        output.table(
            ("id", "account", "kind", "rows", "new", "corrected", "damaged", "problem"),
            [astuple(one) for one in changed],
        )
    output.hint(f"{len(found)} read again, {len(found) - len(changed)} as before")
    if any(one.damaged or one.problem for one in changed):
        raise typer.Exit(failures.FAILED)


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
        from worker.store import inbox
        from worker.store.db import database

        with database.reading(here.engine) as connection:
            rows = inbox.inbound(connection, limit, msisdn=msisdn, account=account)
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
