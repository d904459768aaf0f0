"""`xinshi campaign`: list, show, pause, resume, cancel, retry, export."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import (
    failures,
    options,
    output,
    times,
)
from producer.cli.session import Session, opened
from worker.domain.enums import MessageClass

if TYPE_CHECKING:
    from worker.store.campaigns import CampaignProgress

_Id = Annotated[int, typer.Argument(metavar="ID", help="The campaign's number.")]

group = typer.Typer(
    name="campaign",
    help="Campaigns: one text to many numbers, with one progress.",
    no_args_is_help=True,
    epilog=options.examples(
        'xinshi campaign create --text "【Shop】Dear {name} …" --recipients customers.csv',
        "xinshi campaign show 17 --watch",
        "xinshi campaign export 17 --output result.csv",
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group)


@options.command(group, "xinshi campaign list", name="list")
def listed(
    *,
    limit: options.Limit = 20,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List campaigns, the newest first."""
    with opened(config) as here:
        from worker.intake import lookup

        found = lookup.progress(here.engine, limit)
        if as_json:
            output.as_json([lookup.campaign(one) for one in found])
            return
    if not found:
        output.hint("there is no campaign yet")
        return
    headers = ("id", "name", "state", "class", "total", "open", "created")
    rows = [
        (one.id, one.name, one.state.value, one.message_class, one.total, one.open, one.created_at)
        for one in found
    ]
    output.table(headers, rows)


@options.command(
    group,
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
    with opened(config) as here:
        from producer.cli import campaign_progress, waiting_reasons
        from worker.intake import campaigns

        if not watch:
            found = campaigns.show(here.engine, campaign_id)
            shown(found, as_json=as_json, waits_for=waiting_reasons.why(here, found))
            return
        with failures.interruptible(lambda: f"campaign {campaign_id} goes on without this view"):
            found = campaign_progress.watch(here, campaign_id, as_json=as_json)
        if not as_json:
            shown(found, as_json=False)


@options.command(group, "xinshi campaign pause 17")
def pause(
    campaign_id: _Id, *, as_json: options.Json = False, config: options.Config = None
) -> None:
    """Stop handing out a campaign's messages; what is under way finishes."""
    with opened(config) as here:
        from worker.intake import campaigns

        shown(campaigns.pause(here.engine, campaign_id), as_json=as_json)


@options.command(group, "xinshi campaign start 17", "xinshi campaign start 17 --until 20:00")
def start(
    campaign_id: _Id,
    *,
    until: options.Until = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Start a campaign that is ready: the same as `resume`."""
    resume(campaign_id, until=until, as_json=as_json, config=config)


@options.command(group, "xinshi campaign resume 17", "xinshi campaign resume 17 --until 20:00")
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
    moment = times.ahead(until, "--until")
    with opened(config) as here:
        from producer.cli import waiting_reasons

        found = _run(here, campaign_id, moment)
        here.ring(MessageClass(found.message_class), "started")
        shown(found, as_json=as_json, waits_for=waiting_reasons.why(here, found))


def _run(here: Session, campaign_id: int, until: datetime | None) -> "CampaignProgress":
    """Start a campaign; of one that is late ask whoever sits there until when it may be sent."""
    from worker.domain.errors import ValidityOver
    from worker.intake import campaigns

    try:
        return campaigns.run(here.engine, campaign_id, until)
    except ValidityOver:
        valid = output.local(campaigns.show(here.engine, campaign_id).not_after)
        output.error(f"campaign {campaign_id} was valid until {valid}")
        if not output.is_attended():
            output.hint("say by --until until when it may be sent: --until 20:00, --until +2h")
            raise typer.Exit(failures.USAGE) from None
    asked = 'Until when may it be sent? ("20:00", "+2h"; Ctrl-C leaves it as it is)'
    new = typer.prompt(asked, err=True, value_proc=lambda said: times.ahead(said, "the time"))
    return campaigns.run(here.engine, campaign_id, new)


@options.command(group, "xinshi campaign cancel 17")
def cancel(
    campaign_id: _Id, *, as_json: options.Json = False, config: options.Config = None
) -> None:
    """End a campaign for good: what was not handed over yet is cancelled."""
    with opened(config) as here:
        from worker.intake import campaigns

        shown(campaigns.cancel(here.engine, campaign_id), as_json=as_json)


@options.command(group, "xinshi campaign retry 17")
def retry(
    campaign_id: _Id, *, as_json: options.Json = False, config: options.Config = None
) -> None:
    """Send the failed messages of a campaign again, as a new campaign; never the unknown.

    Done twice it sends nothing twice: what a retry carries already is left out.
    """
    with opened(config) as here:
        from worker.intake import campaigns

        loaded = campaigns.retry(here.engine, here.settings, campaign_id)
        if loaded is None:
            if as_json:
                output.as_json(None)
            output.hint(f"no message of campaign {campaign_id} failed that was not sent again")
            return
        found = campaigns.show(here.engine, loaded.id)
        here.ring(MessageClass(found.message_class), "started")
        shown(found, as_json=as_json)


@options.command(
    group, "xinshi campaign export 17 > result.csv", "xinshi campaign export 17 --output result.csv"
)
def export(
    campaign_id: _Id,
    *,
    to: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write there, not to standard output."),
    ] = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="Begin with the mark by which Excel knows UTF-8.")
    ] = False,
    config: options.Config = None,
) -> None:
    """Write every message of a campaign as CSV, UTF-8, a line each; times in UTC.

    FILE is replaced only once it is whole. What a campaign that still runs has become is written
    as of now.
    """
    with opened(config) as here:
        from producer.cli import campaign_export

        count = campaign_export.export(here.engine, campaign_id, to, mark=excel)
    if to is not None:
        output.hint(f"{count} messages written to {to}")


def shown(
    found: "CampaignProgress", *, as_json: bool, waits_for: Sequence[str] | None = None, **more: Any
) -> None:
    """Print a campaign and what it waits for; `more` goes into its JSON."""
    from worker.intake import lookup

    if as_json:
        waits = {} if waits_for is None else {"waits_for": list(waits_for)}
        output.as_json(lookup.campaign(found) | waits | more)
        return
    output.facts(
        {
            "campaign": found.id,
            "name": found.name,
            "state": found.state.value,
            "class": found.message_class,
            "account": found.account,
            "messages": found.total,
            "left out": counts(found.left_out),
            "retry of": found.retry_of,
            "waits": "; ".join(waits_for or ()),
            "not before": found.not_before,
            "valid until": found.not_after,
            "created": found.created_at,
            "started": found.started_at,
            "finished": found.finished_at,
        }
        | {f"  {state}": number for state, number in found.states.items()}
    )


def counts(of: Any) -> str:
    """Write counts as words: `2 invalid, 1 repeated`."""
    return ", ".join(f"{number} {what}" for what, number in of.items() if number)
