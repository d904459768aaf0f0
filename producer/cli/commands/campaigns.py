"""`xinshi campaign`: list, show, pause, resume, cancel, retry and export campaigns."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import failures, options, output, times
from producer.cli.campaign_report import print_campaign
from producer.cli.groups import campaign_group
from producer.cli.session import Session, open_session, operator_name
from worker.domain.enums import MessageClass

if TYPE_CHECKING:
    from worker.store.intake.campaign_progress import CampaignProgress

_Id = Annotated[int, typer.Argument(metavar="ID", help="The campaign's number.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(campaign_group)


@options.command(campaign_group, "xinshi campaign list", name="list")
def list_campaigns(
    *,
    limit: options.Limit = 20,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List campaigns, the newest first."""
    with open_session(config) as session:
        from worker.intake import lookup

        progresses = lookup.newest_campaigns(session.engine, limit)
        if as_json:
            output.print_json([lookup.campaign_json(campaign) for campaign in progresses])
            return
    if not progresses:
        output.print_hint("there is no campaign yet")
        return
    headers = ("id", "name", "state", "class", "total", "open", "created")
    rows = [
        (
            campaign.id,
            campaign.name,
            campaign.state.value,
            campaign.message_class,
            campaign.total,
            campaign.open,
            campaign.created_at,
        )
        for campaign in progresses
    ]
    output.print_table(headers, rows)


@options.command(
    campaign_group,
    "xinshi campaign show 17",
    "xinshi campaign show 17 --watch",
    "xinshi campaign show 17 --watch --json | jq .states",
)
def show(
    campaign_id: _Id,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again, until it is done.")
    ] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Show a campaign: its state, how many of its messages are in which, what it waits for.

    With --watch also how fast it is and how long it will take; with --json a line each time that
    something has changed.
    """
    with open_session(config) as session:
        from producer.cli import campaign_progress
        from producer.waiting import waits
        from worker.intake import campaigns

        if not watch:
            campaign = campaigns.show(session.engine, campaign_id)
            print_campaign(
                campaign,
                as_json=as_json,
                waits_for=waits.of_campaign(session.engine, session.settings, campaign),
            )
            return
        with failures.interruptible(lambda: f"campaign {campaign_id} goes on without this view"):
            campaign = campaign_progress.watch_campaign(session, campaign_id, as_json=as_json)
        if not as_json:
            print_campaign(campaign, as_json=False)


@options.command(campaign_group, "xinshi campaign pause 17")
def pause(
    campaign_id: _Id,
    *,
    why: options.Why = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Stop handing out a campaign's messages; what is under way finishes."""
    with open_session(config) as session:
        from worker.intake import campaigns

        who = operator_name()
        campaign = campaigns.pause(session.engine, campaign_id, who=who, why=why)
        print_campaign(campaign, as_json=as_json)


@options.command(
    campaign_group, "xinshi campaign start 17", "xinshi campaign start 17 --until 20:00"
)
def start(
    campaign_id: _Id,
    *,
    until: options.Until = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Start a campaign that is ready: the same as `resume`."""
    resume(campaign_id, until=until, as_json=as_json, config=config)


@options.command(
    campaign_group, "xinshi campaign resume 17", "xinshi campaign resume 17 --until 20:00"
)
def resume(
    campaign_id: _Id,
    *,
    until: options.Until = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Start a campaign that is ready, or go on with one that is paused.

    One whose validity is over is not sent late by itself: a terminal is asked until when it may be
    sent; anything else has to say it by --until, or the exit code is 2.
    """
    valid_until = times.parse_future(until, "--until")
    with open_session(config) as session:
        from producer.waiting import waits

        campaign = _run_campaign(session, campaign_id, valid_until)
        session.ring(MessageClass(campaign.message_class), "started")
        print_campaign(
            campaign,
            as_json=as_json,
            waits_for=waits.of_campaign(session.engine, session.settings, campaign),
        )


def _run_campaign(session: Session, campaign_id: int, until: datetime | None) -> "CampaignProgress":
    """Start a campaign; when its validity is over, ask at the terminal for a new end of it."""
    from worker.domain.errors import ValidityOver
    from worker.intake import campaigns

    try:
        return campaigns.run(session.engine, campaign_id, until, who=operator_name())
    except ValidityOver:
        valid = output.local_time(campaigns.show(session.engine, campaign_id).not_after)
        output.print_error(f"campaign {campaign_id} was valid until {valid}")
        if not output.is_attended():
            output.print_hint(
                "say by --until until when it may be sent: --until 20:00, --until +2h"
            )
            raise typer.Exit(failures.USAGE) from None
    question = 'Until when may it be sent? ("20:00", "+2h"; Ctrl-C leaves it as it is)'
    valid_until = typer.prompt(
        question, err=True, value_proc=lambda answer: times.parse_future(answer, "the time")
    )
    return campaigns.run(session.engine, campaign_id, valid_until, who=operator_name())


@options.command(campaign_group, 'xinshi campaign reschedule 17 --at "2026-11-29 10:00"')
def reschedule(
    campaign_id: _Id,
    *,
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="TIME", help='From when: "2026-11-22 08:00", "08:00", "+10m".'
        ),
    ],
    until: options.Until = None,
    why: options.Why = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Move the time of a campaign that has not begun; its validity moves with it."""
    not_before = times.parse_future(at, "--at")
    not_after = times.parse_future(until, "--until", not_before)
    with open_session(config) as session:
        from worker.intake import campaigns

        campaign = campaigns.reschedule(
            session.engine,
            campaign_id,
            not_before or datetime.now(UTC),
            not_after,
            who=operator_name(),
            why=why,
        )
        print_campaign(campaign, as_json=as_json)


@options.command(campaign_group, "xinshi campaign cancel 17", "xinshi campaign cancel 17 --yes")
def cancel(
    campaign_id: _Id,
    *,
    why: options.Why = None,
    yes: Annotated[bool, typer.Option("--yes", help="Without the question on a terminal.")] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """End a campaign for good: what was not handed over yet is cancelled."""
    with open_session(config) as session:
        from worker.intake import campaigns

        if output.is_attended() and not (yes or as_json):
            waiting = campaigns.show(session.engine, campaign_id).open
            question = f"Cancel campaign {campaign_id} for good? {waiting:,} messages wait."
            typer.confirm(question, abort=True, err=True)
        who = operator_name()
        campaign = campaigns.cancel(session.engine, campaign_id, who=who, why=why)
        print_campaign(campaign, as_json=as_json)


@options.command(
    campaign_group,
    "xinshi campaign test 17 --to 13812345678",
    "xinshi campaign test 17 --to 13812345678 --row 3",
    name="test",
)
def send_trial(
    campaign_id: _Id,
    *,
    to: Annotated[str, typer.Option("--to", metavar="NUMBER", help="Your own number.")],
    row: Annotated[
        int, typer.Option("--row", min=1, help="The text of its N-th recipient, with the values.")
    ] = 1,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Send one text of a campaign to a number of yours, as one of its recipients gets it.

    It is an ordinary message: it does not count in the campaign, which may be in any state.
    """
    with open_session(config) as session:
        from producer.cli import stored_send
        from worker.intake import campaign_copy

        request = campaign_copy.trial(session.engine, campaign_id, to, row)
        stored_send.store_and_wait(session, request, None, as_json=as_json)


@options.command(campaign_group, "xinshi campaign retry 17")
def retry(
    campaign_id: _Id, *, as_json: options.Json = False, config: options.Config = None
) -> None:
    """Send the failed messages of a campaign again, as a new campaign; never the unknown.

    Done twice it sends nothing twice: what a retry carries already is left out.
    """
    with open_session(config) as session:
        from worker.intake import campaign_retry, campaigns

        who = operator_name()
        loaded = campaign_retry.retry(session.engine, session.settings, campaign_id, who=who)
        if loaded is None:
            if as_json:
                output.print_json(None)
            output.print_hint(
                f"no message of campaign {campaign_id} failed that was not sent again"
            )
            return
        campaign = campaigns.show(session.engine, loaded.id)
        session.ring(MessageClass(campaign.message_class), "started")
        print_campaign(campaign, as_json=as_json)


@options.command(
    campaign_group,
    "xinshi campaign export 17 > result.csv",
    "xinshi campaign export 17 --output result.csv",
)
def export(
    campaign_id: _Id,
    *,
    target_file: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write there, not to standard output."),
    ] = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="Begin with the mark by which Excel knows UTF-8.")
    ] = False,
    config: options.Config = None,
) -> None:
    """Write every message of a campaign as CSV, UTF-8, a line each; times in UTC.

    Behind them stand the rows of its list that were left out, with the state `left out`, the row
    and the reason: the number as it stood in a bad row, else as it was understood.
    FILE is replaced only once it is whole. What a campaign that still runs has become is written
    as of now.
    """
    with open_session(config) as session:
        from producer.cli import campaign_export

        count = campaign_export.export(
            session.engine, campaign_id, target_file, byte_order_mark=excel
        )
    if target_file is not None:
        output.print_hint(f"{count} rows written to {target_file}")
