"""`xinshi events`: what people and processes did, when and why."""

from typing import Annotated

import typer

from producer.cli import options, output, times
from producer.cli.session import open_session


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(
        app,
        "xinshi events --name campaign --since 08:00     (who stopped it?)",
        "xinshi events --campaign 17",
        "xinshi events --account bulk --limit 100 --json",
    )(events)


def events(
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="An event, or the first word of its name."),
    ] = None,
    campaign: Annotated[
        int | None, typer.Option("--campaign", metavar="ID", help="Those of a campaign.")
    ] = None,
    account: options.AccountName = None,
    who: Annotated[
        str | None, typer.Option("--who", metavar="NAME", help="What this person or key did.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help='Since: "2h", "08:00", "2026-11-22".'),
    ] = None,
    limit: options.Limit = 50,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List what happened, the newest first: acts of people, and what Xinshi noted of gateways."""
    filters = {
        "name": name,
        "request_id": campaign,
        "account": account,
        "who": who,
        "since": times.parse_past(since, "--since"),
    }
    with open_session(config) as session:
        from worker.store import events as event_store
        from worker.store.db import database

        with database.reading(session.engine) as connection:
            rows = event_store.newest(connection, limit, filters)
    if as_json:
        output.print_json([{**row, "at": row["at"].isoformat()} for row in rows])
        return
    if not rows:
        output.print_hint("no event fits")
        return
    headers = ("when", "what", "who", "account", "about", "says")
    output.print_table(
        headers,
        [
            (
                row["at"],
                row["name"],
                row["who"],
                row["account"],
                _subject(row["request_id"], row["n"], row["submission_id"]),
                output.detail_line(row["detail"] or {}),
            )
            for row in rows
        ],
    )


def _subject(request_id: int | None, n: int | None, submission_id: int | None) -> str:
    """Return what an event is about: a message, a campaign, or a submission."""
    if request_id is not None:
        return f"campaign {request_id}" if n is None else f"message {request_id}-{n}"
    return f"submission {submission_id}" if submission_id is not None else ""
