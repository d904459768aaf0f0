"""`xinshi settle`: unknown submissions, and a person's word on what became of them."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import (
    failures,
    options,
    output,
    times,
)
from producer.cli.session import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from worker.config.settings import Settings
    from worker.store.unknown import UnknownSubmission

_Ids = Annotated[
    list[int], typer.Argument(metavar="ID…", help="Submissions, as `list` shows them.")
]
_Why = Annotated[str, typer.Option("--why", help="What you know, for the record.")]
_Who = Annotated[
    str | None, typer.Option("--who", help="Who says so; else the name you are logged in by.")
]
_Limit = Annotated[int, typer.Option("--limit", min=1, help="How many at the most.")]

group = typer.Typer(
    name="settle",
    help="Unknown submissions: list them with the evidence, and end the doubt.",
    no_args_is_help=True,
    epilog=options.examples(
        "xinshi settle list",
        'xinshi settle submitted 17 --why "in the vendor\'s console"',
        'xinshi settle not-sent 17 --why "the vendor has no trace of it"',
        'xinshi settle resend 17 --why "better twice than never"',
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(group, "xinshi settle list --account bulk", name="list")(listed)
    options.command(group, 'xinshi settle submitted 17 --why "…"', name="submitted")(submitted)
    options.command(group, 'xinshi settle not-sent 17 --why "…"', name="not-sent")(not_sent)
    options.command(group, 'xinshi settle resend 17 --why "…"', name="resend")(resend)
    options.command(group, 'xinshi settle split 17 --why "…"', name="split")(split)
    since = 'xinshi settle restored --since "2026-11-22 03:00" --why "the disk died"'
    options.command(group, since, f"{since} --dry-run", name="restored")(restored)
    app.add_typer(group)


def listed(
    *,
    account: options.AccountName = None,
    limit: _Limit = 100,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List unknown submissions, the oldest first: how they ended, and what speaks for what."""
    with opened(config) as here:
        from worker.store import events, unknown
        from worker.store.db import database

        with database.reading(here.engine) as connection:
            found = unknown.unknown_ones(connection, account=account, limit=limit)
            evidence = {one.id: events.of_submission(connection, one.id) for one in found}
    if as_json:
        output.as_json([{**_as_json(one), "evidence": evidence[one.id]} for one in found])
    elif found:
        rows = [_row(one, [event["name"] for event in evidence[one.id]]) for one in found]
        output.table(_COLUMNS, rows)
    else:
        output.hint("nothing is unknown")


def submitted(
    *,
    ids: _Ids,
    why: _Why,
    who: _Who = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say that the gateway took them: their messages are `submitted`."""
    from worker.settlement import sent_counter

    _mark(ids, sent_counter.mark_submitted, "settle.submitted", why, who, config, as_json=as_json)


def not_sent(
    *,
    ids: _Ids,
    why: _Why,
    who: _Who = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say that the gateway took none of them: their messages are queued again."""
    from worker.settlement import sent_counter

    _mark(ids, sent_counter.mark_not_sent, "settle.not_sent", why, who, config, as_json=as_json)


def resend(
    *,
    ids: _Ids,
    why: _Why,
    who: _Who = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Send their messages once more, knowing that they may arrive twice; only once for each."""
    from worker.settlement import sent_counter

    _mark(ids, sent_counter.resend_once, "settle.resent", why, who, config, as_json=as_json)


def restored(
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="When the backup was made, or before.")
    ],
    why: _Why,
    who: _Who = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be put aside.")
    ] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """After a backup was restored, put aside what may have been sent since it was made.

    Before any worker runs on it: whatever waited in it becomes unknown, and nothing of it goes out
    by itself. What was enqueued after --since is left alone.
    """
    at = times.before(since, "--since")
    assert at is not None  # noqa: S101 - the option is required
    with opened(config) as here:
        from worker.settlement import restored_backup

        found = restored_backup.put_aside(
            here.engine,
            here.settings,
            at,
            who=who or getpass.getuser(),
            why=why,
            act=not dry_run,
        )
    if as_json:
        output.as_json(
            {
                "messages": found.messages,
                "submissions": list(found.submissions),
                "loading": list(found.loading),
            }
        )
    else:
        would = "would be" if dry_run else "are now"
        output.line(f"{found.messages} messages {would} unknown: `xinshi settle list` shows them")
    for one in found.loading:
        output.error(
            f"campaign {one} was being loaded: if it was loaded and sent since, cancel it;"
            " loaded again by its key it would be sent again"
        )


def split(
    *,
    ids: _Ids,
    why: _Why,
    who: _Who = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Let batches go on that wait because they were split too often, as `doctor` shows them."""
    with opened(config) as here:
        from worker.delivery import batch_split
        from worker.store.db import database

        name = who or getpass.getuser()
        with database.writing(here.engine) as connection:
            done = [one for one in ids if batch_split.split_on(connection, one, name, why)]
    left = [one for one in ids if one not in done]
    if as_json:
        output.as_json({"going": done, "left": left})
    elif done:
        output.line(f"going on: {', '.join(map(str, done))}")
    for one in left:
        output.error(f"submission {one} does not wait for a person")
    if left:
        raise typer.Exit(failures.FAILED)


_COLUMNS = ("id", "account", "class", "request", "messages", "called", "code", "words", "events")


def _mark(
    ids: list[int],
    act: "Callable[[Connection, Settings, UnknownSubmission], bool]",
    name: str,
    why: str,
    who: str | None,
    config: Any,
    *,
    as_json: bool,
) -> None:
    with opened(config) as here:
        from worker.settlement import sent_counter
        from worker.store.db import database

        with database.writing(here.engine) as connection:
            done = sent_counter.mark(
                connection,
                here.settings,
                ids,
                act,
                name=name,
                who=who or getpass.getuser(),
                why=why,
            )
    left = [one for one in ids if one not in done]
    if as_json:
        output.as_json({"settled": done, "left": left})
    elif done:
        output.line(f"settled: {', '.join(map(str, done))}")
    for one in left:
        output.error(
            f"submission {one} is not unknown, was sent once more already, or stands for several"
            " that a restored backup forgot"
        )
    if left:
        raise typer.Exit(failures.FAILED)


def _row(one: "UnknownSubmission", names: list[str]) -> list[Any]:
    return [
        one.id,
        one.account,
        one.message_class.value,
        one.request_id,
        one.size,
        one.called_at,
        one.code,
        one.words,
        ", ".join(names) + (", sent once more" if one.resent else ""),
    ]


def _as_json(one: "UnknownSubmission") -> dict[str, Any]:
    return {
        "id": one.id,
        "account": one.account,
        "class": one.message_class.value,
        "request": one.request_id,
        "messages": one.size,
        "segments": one.size * one.segments,
        "called_at": one.called_at and one.called_at.isoformat(),
        "code": one.code,
        "code_text": one.words,
        "resent": one.resent,
    }
