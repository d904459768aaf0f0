"""`xinshi opt-out`: list who opted out, decide on unclear replies, take back strangers' doing."""

from typing import Annotated, Any

import typer

from producer.cli import failures, options, output, parsing, times
from producer.cli.groups import opt_out_group
from producer.cli.session import open_session, operator_name

_Reply = Annotated[int, typer.Argument(metavar="REPLY", help="Its id: `xinshi inbound --unclear`.")]
_Number = Annotated[
    str | None, typer.Argument(metavar="[NUMBER]", help="Who wrote it, where that is masked.")
]
_Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only what came since then.")
]
_Strange = Annotated[
    bool, typer.Option("--strange", help="Only of numbers to which the account never wrote.")
]


def register(_app: typer.Typer) -> None:
    """Add the commands to the group of opt-outs."""
    options.command(opt_out_group, "xinshi opt-out list --strange", name="list")(list_opt_outs)
    options.command(
        opt_out_group, "xinshi opt-out accept 17", "xinshi opt-out accept 17 13812345678"
    )(accept)
    options.command(opt_out_group, "xinshi opt-out dismiss 17 18")(dismiss)
    example = "xinshi opt-out undo --account bulk --strange"
    options.command(opt_out_group, f"{example} --dry-run", example)(undo)
    options.command(opt_out_group, "xinshi opt-out reread --dry-run", "xinshi opt-out reread")(
        reread
    )


def list_opt_outs(
    *,
    account: options.AccountName = None,
    since: _Since = None,
    strange: _Strange = False,
    limit: options.Limit = 20,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List numbers that opted out, the newest first.

    Whether the account ever wrote to a number is looked up within minutes; until then it is not
    said.
    """
    opted_since = times.parse_past(since, "--since")
    with open_session(config) as session:
        from worker.store.db import database
        from worker.store.feedback import opt_out_origins

        with database.reading(session.engine) as connection:
            rows = opt_out_origins.newest(
                connection, limit, account=account, since=opted_since, strange=strange
            )
    if as_json:
        output.print_json([_as_json(row) for row in rows])
    elif rows:
        words = {True: "yes", False: "no", None: ""}
        output.print_table(
            ("since", "number", "why", "written to", "page"),
            [(row.since, row.msisdn, row.why, words[row.known], _page(row)) for row in rows],
        )
    else:
        output.print_hint("no number that fits has opted out")


def _page(row: Any) -> str | None:
    """Return the page or push that an opt-out came with, as `collect reparse --id` takes it."""
    return None if row.inbox_id is None else f"{row.kind or 'page'} {row.inbox_id}"


def _as_json(row: Any) -> dict[str, Any]:
    return {
        "to": row.msisdn,
        "since": row.since.isoformat(),
        "why": row.why,
        "account": row.account,
        "written_to": row.known,
        "page": row.inbox_id,
        "kind": row.kind,
    }


def undo(
    *,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Replies to whom.")],
    since: _Since = None,
    strange: _Strange = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Take back the opt-outs that came with replies to an account, as after a leaked push token.

    Change the token first. A number that asked another account for no more stays opted out.
    """
    opted_since = times.parse_past(since, "--since")
    with open_session(config) as session:
        from worker.feedback import opt_out_removal

        count = opt_out_removal.remove(
            session.engine,
            session.settings,
            account,
            who=operator_name(),
            since=opted_since,
            strange=strange,
            act=not dry_run,
        )
    if as_json:
        output.print_json({"account": account, "removed": count, "dry_run": dry_run})
    else:
        output.print_line(f"{count} {'would be ' if dry_run else ''}taken back")


def accept(
    reply: _Reply,
    number: _Number = None,
    *,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Opt out who wrote a reply, as if it had been one of the opt_out_words.

    Where a masked number fitted several recipients, all of them are left out of marketing until
    this command says who it was; the others are written to again then.
    """
    msisdn = number and parsing.msisdn(number, "NUMBER")
    with open_session(config) as session:
        from worker.feedback import reply_senders
        from worker.store.db import database

        with database.writing(session.engine) as connection:
            taken_back = reply_senders.opt_out_sender(
                connection, reply, msisdn, who=operator_name()
            )
    if as_json:
        output.print_json({"reply": reply, "taken_back": taken_back})
        return
    others = f"; {len(taken_back)} other number(s) are written to again" if taken_back else ""
    output.print_line(f"who wrote reply {reply} gets no more advertising{others}")


def dismiss(
    replies: Annotated[
        list[int], typer.Argument(metavar="REPLY…", help="Ids: `xinshi inbound --unclear`.")
    ],
    *,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Say of unclear replies that they ask for nothing: they are no longer listed as unclear.

    Numbers that a masked one kept out of marketing are written to again.
    """
    with open_session(config) as session:
        from worker.feedback import reply_senders
        from worker.store.db import database

        with database.writing(session.engine) as connection:
            count = sum(
                reply_senders.dismiss(connection, reply, who=operator_name())
                for reply in dict.fromkeys(replies)
            )
    if as_json:
        output.print_json({"replies": replies, "taken_back": count})
        return
    others = f"; {count} number(s) are written to again" if count else ""
    output.print_line(f"{len(replies)} dismissed{others}")


def reread(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Read the replies that asked for nothing so far again, by the words of the configuration.

    For those that an earlier version stored, and after opt_out_words were changed. Who asks for no
    more is opted out, unless a later reply asks for more; masked numbers are listed as unclear. The
    command may be interrupted and repeated.
    """
    with open_session(config) as session:
        from worker.feedback import reply_rereading

        with failures.interruptible(lambda: "what was read is stored; the same command goes on"):
            counts = reply_rereading.reread(
                session.engine, session.settings, who=operator_name(), act=not dry_run
            )
    names = ("read", "out", "in", "near", "opted_out")
    if as_json:
        output.print_json({name: counts[name] for name in names} | {"dry_run": dry_run})
        return
    output.print_line(
        f"{counts['read']} read: {counts['out']} ask for no more, {counts['in']} for more again,"
        f" {counts['near']} are near to that; {counts['opted_out']} number(s) opted out"
    )
