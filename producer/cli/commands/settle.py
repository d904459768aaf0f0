"""`xinshi settle`: list unknown submissions, and settle them by a person's decision."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import (
    failures,
    options,
    output,
    times,
)
from producer.cli.session import open_session, operator_name
from producer.cli.value_names import NamedValuesGroup

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from worker.config.settings import Settings
    from worker.settlement.restored_backup import PutAside
    from worker.store.settlement.unknown import UnknownSubmission

_Ids = Annotated[
    list[int], typer.Argument(metavar="ID…", help="Submissions, as `list` shows them.")
]
_Reason = Annotated[str, typer.Option("--why", help="What you know, for the record.")]
_Operator = Annotated[
    str | None, typer.Option("--who", help="Who says so; else the name you are logged in by.")
]
_Limit = Annotated[int, typer.Option("--limit", min=1, help="How many at the most.")]

_COLUMNS = ("id", "account", "class", "request", "messages", "called", "code", "words", "events")

group = typer.Typer(
    cls=NamedValuesGroup,
    name="settle",
    help="Unknown submissions: list them with the evidence, and end the doubt.",
    no_args_is_help=True,
    epilog=options.example_lines(
        "xinshi settle list",
        'xinshi settle submitted 17 --why "in the vendor\'s console"',
        'xinshi settle not-sent 17 --why "the vendor has no trace of it"',
        'xinshi settle resend 17 --why "better twice than never"',
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(group, "xinshi settle list --account bulk", name="list")(list_unknown)
    options.command(group, 'xinshi settle submitted 17 --why "…"', name="submitted")(mark_submitted)
    options.command(group, 'xinshi settle not-sent 17 --why "…"', name="not-sent")(mark_not_sent)
    options.command(group, 'xinshi settle resend 17 --why "…"', name="resend")(resend)
    options.command(group, 'xinshi settle split 17 --why "…"', name="split")(split)
    since = 'xinshi settle restored --since "2026-11-22 03:00" --why "the disk died"'
    options.command(group, since, f"{since} --dry-run", name="restored")(put_aside_restored)
    app.add_typer(group)


def list_unknown(
    *,
    account: options.AccountName = None,
    limit: _Limit = 100,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List unknown submissions, the oldest first: how they ended, and what speaks for what."""
    with open_session(config) as session:
        from worker.store import events
        from worker.store.db import database
        from worker.store.settlement import unknown

        with database.reading(session.engine) as connection:
            submissions = unknown.unknown_submissions(connection, account=account, limit=limit)
            evidence = {
                submission.id: events.of_submission(connection, submission.id)
                for submission in submissions
            }
    if as_json:
        output.print_json(
            [
                {**_submission_json(submission), "evidence": evidence[submission.id]}
                for submission in submissions
            ]
        )
    elif submissions:
        rows = [
            _submission_row(submission, [event["name"] for event in evidence[submission.id]])
            for submission in submissions
        ]
        output.print_table(_COLUMNS, rows)
    else:
        output.print_hint("nothing is unknown")


def mark_submitted(
    *,
    ids: _Ids,
    reason: _Reason,
    operator: _Operator = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say that the gateway took them: their messages are `submitted`."""
    from worker.settlement import manual

    _settle_by_hand(
        ids, manual.mark_submitted, "settle.submitted", reason, operator, config, as_json=as_json
    )


def mark_not_sent(
    *,
    ids: _Ids,
    reason: _Reason,
    operator: _Operator = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say that the gateway took none of them: their messages are queued again."""
    from worker.settlement import manual

    _settle_by_hand(
        ids, manual.mark_not_sent, "settle.not_sent", reason, operator, config, as_json=as_json
    )


def resend(
    *,
    ids: _Ids,
    reason: _Reason,
    operator: _Operator = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Send their messages once more, knowing that they may arrive twice; only once for each."""
    from worker.settlement import manual

    _settle_by_hand(
        ids, manual.resend_once, "settle.resent", reason, operator, config, as_json=as_json
    )


def put_aside_restored(
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="When the backup was made, or before.")
    ],
    reason: _Reason,
    operator: _Operator = None,
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
    backup_time = times.parse_past(since, "--since")
    assert backup_time is not None  # noqa: S101 - the option is required
    with open_session(config) as session:
        from worker.settlement import restored_backup

        aside = restored_backup.put_aside(
            session.engine,
            session.settings,
            backup_time,
            who=operator_name(operator),
            reason=reason,
            act=not dry_run,
        )
    _print_put_aside(aside, dry_run=dry_run, as_json=as_json)


def _print_put_aside(aside: "PutAside", *, dry_run: bool, as_json: bool) -> None:
    """Print what was put aside, and an error for each campaign that was being loaded."""
    if as_json:
        output.print_json(
            {
                "messages": aside.messages,
                "submissions": list(aside.submissions),
                "loading": list(aside.loading),
            }
        )
    else:
        verb = "would be" if dry_run else "are now"
        output.print_line(
            f"{aside.messages} messages {verb} unknown: `xinshi settle list` shows them"
        )
    for campaign_id in aside.loading:
        output.print_error(
            f"campaign {campaign_id} was being loaded: if it was loaded and sent since, cancel it;"
            " loaded again by its key it would be sent again"
        )


def split(
    *,
    ids: _Ids,
    reason: _Reason,
    operator: _Operator = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Let batches go on that wait because they were split too often, as `doctor` shows them."""
    with open_session(config) as session:
        from worker.delivery import batch_split
        from worker.store.db import database

        who = operator_name(operator)
        with database.writing(session.engine) as connection:
            split_ids = [
                submission_id
                for submission_id in ids
                if batch_split.resume_splitting(connection, submission_id, who, reason)
            ]
    refused_ids = [submission_id for submission_id in ids if submission_id not in split_ids]
    if as_json:
        output.print_json({"going": split_ids, "left": refused_ids})
    elif split_ids:
        output.print_line(f"going on: {', '.join(map(str, split_ids))}")
    for submission_id in refused_ids:
        output.print_error(f"submission {submission_id} does not wait for a person")
    if refused_ids:
        raise typer.Exit(failures.FAILED)


def _settle_by_hand(
    ids: list[int],
    settle_submission: "Callable[[Connection, Settings, UnknownSubmission], bool]",
    event_name: str,
    reason: str,
    operator: str | None,
    config: Any,
    *,
    as_json: bool,
) -> None:
    """Settle submissions in one transaction, and print which were settled and which were not.

    `settle_submission` settles one, and returns whether it could; `event_name` is recorded for it.
    """
    with open_session(config) as session:
        from worker.settlement import manual
        from worker.store.db import database

        with database.writing(session.engine) as connection:
            settled_ids = manual.settle(
                connection,
                session.settings,
                ids,
                settle_submission,
                event_name=event_name,
                who=operator_name(operator),
                reason=reason,
            )
    refused_ids = [submission_id for submission_id in ids if submission_id not in settled_ids]
    if as_json:
        output.print_json({"settled": settled_ids, "left": refused_ids})
    elif settled_ids:
        output.print_line(f"settled: {', '.join(map(str, settled_ids))}")
    for submission_id in refused_ids:
        output.print_error(
            f"submission {submission_id} is not unknown, was sent once more already, or stands for"
            " several that a restored backup forgot"
        )
    if refused_ids:
        raise typer.Exit(failures.FAILED)


def _submission_row(submission: "UnknownSubmission", event_names: list[str]) -> list[Any]:
    return [
        submission.id,
        submission.account,
        submission.message_class.value,
        submission.request_id,
        submission.size,
        submission.called_at,
        submission.code,
        submission.words,
        ", ".join(event_names) + (", sent once more" if submission.resent else ""),
    ]


def _submission_json(submission: "UnknownSubmission") -> dict[str, Any]:
    return {
        "id": submission.id,
        "account": submission.account,
        "class": submission.message_class.value,
        "request": submission.request_id,
        "messages": submission.size,
        "segments": submission.size * submission.segments,
        "called_at": submission.called_at and submission.called_at.isoformat(),
        "code": submission.code,
        "code_text": submission.words,
        "resent": submission.resent,
    }
