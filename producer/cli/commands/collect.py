"""`xinshi collect` and `inbound`: collect reports and texts from handsets, and list the texts."""

from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output, parsing, times
from producer.cli.session import open_session, operator_name
from producer.cli.value_names import NamedValuesGroup

if TYPE_CHECKING:
    from pathlib import Path

    from worker.feedback.reparse import ReparsedPage

group = typer.Typer(
    cls=NamedValuesGroup,
    name="collect",
    help="What gateways keep for us: collect it now, or read again what was collected.",
    no_args_is_help=True,
    epilog=options.example_lines(
        "xinshi collect reports",
        "xinshi collect inbound --account bulk",
        "xinshi collect reparse --damaged --dry-run",
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(group, "xinshi collect reports", name="reports")(collect_reports)
    options.command(group, "xinshi collect inbound --account bulk", name="inbound")(collect_inbound)
    example = "xinshi collect reparse --account bulk --since 2026-11-20"
    options.command(group, example, f"{example} --dry-run", name="reparse")(reparse)
    app.add_typer(group)
    options.command(
        app, "xinshi inbound --from 13812345678", "xinshi inbound --json", name="inbound"
    )(list_inbound)


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


def _collect(call_name: str, account: str | None, config: "Path | None", *, as_json: bool) -> None:
    """Ask one account or all for what the kind names, and print what each answered."""
    with open_session(config) as session:
        from producer.cli import account_calls

        with failures.interruptible(lambda: "what was read is stored; workers collect the rest"):
            answers = account_calls.ask(session, account_calls.AccountCall(call_name), account)
    if as_json:
        output.print_json([answer.as_json() for answer in answers])
    elif answers:
        rows = [
            (answer.account, answer.page_count, answer.new_count, answer.notice())
            for answer in answers
        ]
        output.print_table(("account", "pages", "new", ""), rows)
    else:
        output.print_hint(f"no account has {call_name} to collect")
    if any(answer.failed for answer in answers):
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
    received_since = times.parse_past(since, "--since")
    with open_session(config) as session:
        from worker.feedback.reparse import reparse_pages
        from worker.store.db import database
        from worker.store.feedback import inbox

        with database.reading(session.engine) as connection:
            page_ids = inbox.find_ids(
                connection, account=account, since=received_since, ids=ids, damaged=damaged
            )
        with failures.interruptible(lambda: "what was read again is stored"):
            act = not dry_run
            reparsed_pages = list(
                reparse_pages(
                    session.engine, session.settings, page_ids, who=operator_name(), act=act
                )
            )
    _print_reparsed(reparsed_pages, as_json=as_json)


def _print_reparsed(reparsed_pages: "list[ReparsedPage]", *, as_json: bool) -> None:
    """Print the pages that are read otherwise now; exit with 1 if one still cannot be read."""
    changed_pages = [page for page in reparsed_pages if page.has_changes]
    if as_json:
        output.print_json([asdict(page) for page in changed_pages])
    elif changed_pages:
        output.print_table(
            ("id", "account", "kind", "rows", "new", "corrected", "damaged", "problem"),
            [astuple(page) for page in changed_pages],
        )
    output.print_hint(
        f"{len(reparsed_pages)} read again, {len(reparsed_pages) - len(changed_pages)} as before"
    )
    if any(page.damaged or page.problem for page in changed_pages):
        raise typer.Exit(failures.FAILED)


def list_inbound(
    *,
    sender: Annotated[
        str | None,
        typer.Option(
            "--from", "--to", metavar="NUMBER", help="Only from this handset; - is standard input."
        ),
    ] = None,
    account: options.AccountName = None,
    unclear: Annotated[
        bool, typer.Option("--unclear", help="Only those that a person has to look at.")
    ] = False,
    limit: options.Limit = 20,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List texts that came from handsets, the newest first.

    Those with --unclear are near to an opt-out, or are one whose masked number fits nobody or
    several; `xinshi opt-out accept` opts out who wrote one of them.
    """
    if unclear and (sender or account):
        msg = "--unclear lists those of all numbers and accounts; leave the others out"
        raise typer.BadParameter(msg)
    msisdn = sender and parsing.msisdn(sender, "--from")
    with open_session(config) as session:
        from worker.store.db import database
        from worker.store.feedback.inbound import newest_replies, unclear_replies

        with database.reading(session.engine) as connection:
            if unclear:
                rows = unclear_replies(connection, limit)
            else:
                rows = newest_replies(connection, limit, msisdn=msisdn, account=account)
    if as_json:
        output.print_json([_reply_json(row) for row in rows])
    elif rows:
        output.print_table(
            ("id", "received", "from", "account", "extension", "asks for", "text"),
            [
                (
                    row.id,
                    _received_at(row),
                    row.msisdn,
                    row.account,
                    row.extension,
                    _asks_for(row),
                    row.text,
                )
                for row in rows
            ],
        )
    else:
        output.print_hint("nothing came in that fits")


def _reply_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "from": row.msisdn,
        "text": row.text,
        "account": row.account,
        "extension": row.extension,
        "meaning": row.meaning,
        **({"fits": row.fits} if "fits" in row._fields else {}),
        "received_at": _received_at(row).isoformat(),
    }


def _asks_for(row: Any) -> str | None:
    """Return what a reply asks for, and how many numbers a masked one fits where that is known."""
    fits_several = "*" in row.msisdn and "fits" in row._fields
    return f"{row.meaning}, fits {row.fits}" if fits_several else row.meaning


def _received_at(row: Any) -> Any:
    """Return the time at which a text came, by the gateway, or at which we stored it."""
    return row.received_at or row.stored_at
