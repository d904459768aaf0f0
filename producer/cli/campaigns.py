"""`xinshi campaign`: list, show, pause, resume, cancel, retry, export."""

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from producer.cli import faults, options, output, times
from producer.cli.session import Session, opened
from worker.terms import MessageClass

if TYPE_CHECKING:
    from worker.describing import Message
    from worker.store.campaigns import Progress

_Id = Annotated[int, typer.Argument(metavar="ID", help="The campaign's number.")]
COLUMNS = (
    *("number", "state", "code", "code_text", "account", "gateway_id", "attempts"),
    *("submitted_at", "finished_at"),
)

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
        from worker import describing

        found = describing.progress(here.engine, limit)
        if as_json:
            output.as_json([describing.campaign(one) for one in found])
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


@options.command(group, "xinshi campaign show 17", "xinshi campaign show 17 --watch")
def show(
    campaign_id: _Id,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again, until it is done.")
    ] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Show a campaign: its state, and how many of its messages are in which."""
    with opened(config) as here:
        from producer.cli import watching
        from worker import campaigns

        if watch:
            with faults.interruptible(lambda: f"campaign {campaign_id} goes on without this view"):
                found = watching.watch(here.engine, campaign_id)
        else:
            found = campaigns.show(here.engine, campaign_id)
        shown(found, as_json=as_json)


@options.command(group, "xinshi campaign pause 17")
def pause(
    campaign_id: _Id, *, as_json: options.Json = False, config: options.Config = None
) -> None:
    """Stop handing out a campaign's messages; what is under way finishes."""
    with opened(config) as here:
        from worker import campaigns

        shown(campaigns.pause(here.engine, campaign_id), as_json=as_json)


@options.command(group, "xinshi campaign resume 17", "xinshi campaign resume 17 --until 20:00")
def resume(
    campaign_id: _Id,
    *,
    until: options.Until = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Start a campaign that is ready, or go on with one that is paused.

    One whose validity is over needs --until.
    """
    moment = times.ahead(until, "--until")
    with opened(config) as here:
        from worker import campaigns

        found = campaigns.run(here.engine, campaign_id, moment)
        here.ring(MessageClass(found.message_class), "started")
        shown(found, as_json=as_json)


@options.command(group, "xinshi campaign cancel 17")
def cancel(
    campaign_id: _Id, *, as_json: options.Json = False, config: options.Config = None
) -> None:
    """End a campaign for good: what was not handed over yet is cancelled."""
    with opened(config) as here:
        from worker import campaigns

        shown(campaigns.cancel(here.engine, campaign_id), as_json=as_json)


@options.command(group, "xinshi campaign retry 17")
def retry(
    campaign_id: _Id, *, as_json: options.Json = False, config: options.Config = None
) -> None:
    """Send the failed messages of a campaign again, as a new campaign; never the unknown.

    Done twice it sends nothing twice: what a retry carries already is left out.
    """
    with opened(config) as here:
        from worker import campaigns

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
    config: options.Config = None,
) -> None:
    """Write every message of a campaign as CSV, UTF-8, a line each; times in UTC."""
    with opened(config) as here, _target(to) as file:
        count = _write(here, campaign_id, file)
    if to is not None:
        output.hint(f"{count} messages written to {to}")


def _write(here: Session, campaign_id: int, file: TextIO) -> int:
    from worker import campaigns, describing

    total = campaigns.show(here.engine, campaign_id).total
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    count = 0
    for count, one in enumerate(describing.every(here.engine, campaign_id, total), 1):  # noqa: B007
        writer.writerow(_cells(one))
    return count


def _cells(one: "Message") -> list[Any]:
    said = one.as_json() | {"number": one.msisdn}
    return [said[column] for column in COLUMNS]


@contextmanager
def _target(to: Path | None) -> Iterator[TextIO]:
    """Lend standard output, or a file that takes its place only once it is whole."""
    if to is None:
        yield sys.stdout
        return
    part = to.with_name(f"{to.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def shown(found: "Progress", *, as_json: bool, **more: Any) -> None:
    """Print a campaign; `more` goes into its JSON."""
    from worker import describing

    if as_json:
        output.as_json(describing.campaign(found) | more)
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
            "created": found.created_at,
            "started": found.started_at,
            "finished": found.finished_at,
        }
        | {f"  {state}": number for state, number in found.states.items()}
    )


def counts(of: Any) -> str:
    """Write counts as words: `2 invalid, 1 repeated`."""
    return ", ".join(f"{number} {what}" for what, number in of.items() if number)
