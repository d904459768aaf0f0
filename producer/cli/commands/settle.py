"""`xinshi settle`: list unknown submissions, and settle them by a person's decision."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from producer.cli import (
    failures,
    options,
    output,
    times,
    unknown_report,
)
from producer.cli.session import Session, open_session, operator_name
from producer.cli.unknown_report import UnknownFilter
from producer.cli.value_names import NamedValuesGroup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from worker.config.settings import Settings
    from worker.settlement.restored_backup import PutAside
    from worker.store.settlement.unknown import UnknownSubmission

_Ids = Annotated[
    list[int], typer.Argument(metavar="ID…", help="Submissions, as `list` shows them.")
]
_OptionalIds = Annotated[
    list[int] | None,
    typer.Argument(
        metavar="ID…", help="Submissions, as `list` shows them; else all that fit the options."
    ),
]
_Reason = Annotated[str, typer.Option("--why", help="What you know, for the record.")]
_Operator = Annotated[
    str | None, typer.Option("--who", help="Who says so; else the name you are logged in by.")
]
_Code = Annotated[
    str | None, typer.Option("--code", metavar="CODE", help="Only those that ended with this code.")
]
_Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help='Called since: "2h", "08:00", "2026-11-22".'),
]
_Campaign = Annotated[
    int | None, typer.Option("--campaign", metavar="ID", help="Only those of a campaign.")
]
_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask back.")]
_Limit = Annotated[int, typer.Option("--limit", min=1, help="How many at the most.")]

#: How many submissions are shown before a question, settled by one command, and in a transaction.
SHOWN_BEFORE_ASKING = 20
MAX_SETTLED = 10_000
SETTLED_AT_ONCE = 500

group = typer.Typer(
    cls=NamedValuesGroup,
    name="settle",
    help="Unknown submissions: list them with the evidence, and end the doubt.",
    no_args_is_help=True,
    epilog=options.example_lines(
        "xinshi settle list",
        'xinshi settle submitted 17 --why "in the vendor\'s console"',
        'xinshi settle not-sent --account bulk --code "HTTP 502" --since 2h --why "no trace"',
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
    code: _Code = None,
    since: _Since = None,
    campaign: _Campaign = None,
    limit: _Limit = 100,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List unknown submissions, the oldest first: how they ended, and what speaks for what.

    Numbers are masked; of a batch the first three are shown.
    """
    wanted = UnknownFilter(account, code, times.parse_past(since, "--since"), campaign)
    with open_session(config) as session:
        submissions = unknown_report.find(session, wanted, limit)
        shown = unknown_report.with_evidence(session, submissions)
    if as_json:
        output.print_json([submission.as_json() for submission in shown])
    elif shown:
        unknown_report.print_table(shown)
        if len(shown) == limit:
            output.print_hint(f"these are the oldest {limit}; --limit shows more")
    else:
        output.print_hint("nothing is unknown" if wanted.is_empty else "nothing unknown fits")


def mark_submitted(
    *,
    ids: _OptionalIds = None,
    reason: _Reason,
    account: options.AccountName = None,
    code: _Code = None,
    since: _Since = None,
    campaign: _Campaign = None,
    yes: _Yes = False,
    operator: _Operator = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say that the gateway took them: their messages are `submitted`."""
    from worker.settlement import manual

    wanted = UnknownFilter(account, code, times.parse_past(since, "--since"), campaign)
    decision = _Decision(manual.mark_submitted, "settle.submitted", reason, operator_name(operator))
    _settle_by_hand(ids or [], wanted, decision, config, yes=yes, as_json=as_json)


def mark_not_sent(
    *,
    ids: _OptionalIds = None,
    reason: _Reason,
    account: options.AccountName = None,
    code: _Code = None,
    since: _Since = None,
    campaign: _Campaign = None,
    yes: _Yes = False,
    operator: _Operator = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say that the gateway took none of them: their messages are queued again."""
    from worker.settlement import manual

    wanted = UnknownFilter(account, code, times.parse_past(since, "--since"), campaign)
    decision = _Decision(manual.mark_not_sent, "settle.not_sent", reason, operator_name(operator))
    _settle_by_hand(ids or [], wanted, decision, config, yes=yes, as_json=as_json)


def resend(
    *,
    ids: _OptionalIds = None,
    reason: _Reason,
    account: options.AccountName = None,
    code: _Code = None,
    since: _Since = None,
    campaign: _Campaign = None,
    yes: _Yes = False,
    operator: _Operator = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Send their messages once more, knowing that they may arrive twice; only once for each."""
    from worker.settlement import manual

    wanted = UnknownFilter(account, code, times.parse_past(since, "--since"), campaign)
    decision = _Decision(manual.resend_once, "settle.resent", reason, operator_name(operator))
    _settle_by_hand(ids or [], wanted, decision, config, yes=yes, as_json=as_json)


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


class _Decision(NamedTuple):
    """What a person says of submissions, for the record too."""

    settle_submission: "Callable[[Connection, Settings, UnknownSubmission], bool]"
    event_name: str
    reason: str
    who: str


def _settle_by_hand(
    ids: list[int],
    wanted: UnknownFilter,
    decision: _Decision,
    config: "Path | None",
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Settle submissions, and print which were settled and which were not.

    Without ids they are those that fit the options: shown first, and settled after a yes.
    """
    if bool(ids) != wanted.is_empty:
        msg = "name submissions, or say which by --account, --code, --since, --campaign"
        raise typer.BadParameter(msg)
    with open_session(config) as session:
        from worker.settlement import manual

        if not ids:
            ids = _confirmed_ids(session, wanted, decision, yes=yes, as_json=as_json)
        settled_ids = [
            settled_id
            for start in range(0, len(ids), SETTLED_AT_ONCE)
            for settled_id in _settle(session, ids[start : start + SETTLED_AT_ONCE], decision)
        ]
        refused_ids = sorted(set(ids) - set(settled_ids))
        refusals = manual.refusals(session.engine, refused_ids)
    if as_json:
        output.print_json({"settled": settled_ids, "left": refused_ids})
    elif settled_ids:
        output.print_line(f"settled: {', '.join(map(str, settled_ids))}")
    for refusal in refusals:
        output.print_error(refusal)
    if refused_ids:
        raise typer.Exit(failures.FAILED)


def _settle(session: Session, ids: list[int], decision: _Decision) -> list[int]:
    """Settle submissions in one transaction; return the ids of those that were."""
    from worker.settlement import manual
    from worker.store.db import database

    with database.writing(session.engine) as connection:
        return manual.settle(
            connection,
            session.settings,
            ids,
            decision.settle_submission,
            event_name=decision.event_name,
            who=decision.who,
            reason=decision.reason,
        )


def _confirmed_ids(
    session: Session, wanted: UnknownFilter, decision: _Decision, *, yes: bool, as_json: bool
) -> list[int]:
    """Show the submissions that fit, and return their ids after a yes; exit with 1 after a no."""
    submissions = unknown_report.find(session, wanted, MAX_SETTLED)
    if not submissions:
        output.print_hint("nothing unknown fits")
        return []
    if not as_json:
        first = submissions[:SHOWN_BEFORE_ASKING]
        unknown_report.print_table(unknown_report.with_evidence(session, first))
    message_count = sum(submission.size for submission in submissions)
    act = decision.event_name.partition(".")[2].replace("_", " ")
    summary = f"{len(submissions):,} submissions with {message_count:,} messages: {act}"
    if not yes and as_json:
        output.print_error(f"{summary}; --yes says that these are meant")
        raise typer.Exit(failures.USAGE)
    if not yes and not typer.confirm(f"{summary}?", err=True):
        raise typer.Exit(failures.FAILED)
    return [submission.id for submission in submissions]
