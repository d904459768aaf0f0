"""`xinshi campaign create`: load a campaign's recipients from a file, and start it."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from producer.cli import (
    campaign_dry_run,
    campaign_question,
    failures,
    list_options,
    options,
    output,
    parsing,
    times,
)
from producer.cli.campaign_report import print_campaign
from producer.cli.groups import campaign_group
from producer.cli.session import Session, open_session, operator_name
from worker.domain.enums import MessageClass
from worker.domain.errors import Unavailable
from worker.domain.timezone import SHANGHAI
from worker.intake.lists.options import ListOptions
from worker.intake.value_rules import OddValue

if TYPE_CHECKING:
    from worker.intake.campaign_loader import Loaded
    from worker.intake.enqueue_request import EnqueueRequest

_Recipients = Annotated[
    str,
    typer.Option(
        "--recipients", metavar="FILE", help="A CSV file or .xlsx of numbers; - is standard input."
    ),
]
_Text = Annotated[
    str, typer.Option("--text", help="The text; {NAME} is the column NAME; - is standard input.")
]
_Name = Annotated[str | None, typer.Option("--name", help="A name to find it by.")]
_Paused = Annotated[bool, typer.Option("--paused", help="Load it; `campaign resume` starts it.")]
_Yes = Annotated[bool, typer.Option("--yes", help="Start without the question on a terminal.")]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read all of it, say what it would be; store nothing.")
]
_SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out and start.")]


def register(_app: typer.Typer) -> None:
    """Add the command to its group."""
    options.command(
        campaign_group,
        'xinshi campaign create --text "【Shop】Sale 回T退订" --recipients customers.csv',
        'xinshi campaign create --text "【Shop】Dear {name} …" --recipients list.csv --dry-run',
        'xinshi campaign create --text "【Shop】Dear {name} …" --recipients - < customers.csv',
        "xinshi campaign create --text - --recipients numbers.xlsx --at 09:00 --until 20:00",
        'xinshi campaign create --text "【Shop】Sale 回T退订" --recipients old.csv --encoding big5',
    )(create)


def create(
    *,
    text: _Text,
    recipients: _Recipients,
    message_class: options.Class = MessageClass.MARKETING,
    account: options.RequiredAccount = None,
    name: _Name = None,
    at: options.At = None,
    until: options.Until = None,
    paused: _Paused = False,
    skip_bad: _SkipBad = False,
    dry_run: _DryRun = False,
    yes: _Yes = False,
    column: list_options.Column = None,
    delimiter: list_options.Delimiter = None,
    header_row: list_options.HeaderRow = None,
    encoding: list_options.Encoding = None,
    allow: list_options.Allow = None,
    key: options.Key = None,
    extension: options.Extension = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Load a campaign from a CSV file or an Excel workbook, and start it once it is wholly loaded.

    The file is .xlsx, or text in UTF-8, UTF-16 or GBK with commas, semicolons or tabs. Its numbers
    stand in its only column, or in one called msisdn, mobile, phone, 手机号, 手机, 联系电话 or the
    like; other columns are values for {NAME} in the text. How it was read is printed. With a bad
    row nothing is sent and the exit code is 1, unless --skip-bad; of a number that stands there
    twice the first row counts.

    On a terminal it shows what it loaded and asks before the first text goes; not with --yes, with
    --json, or where no terminal is.
    """
    list_reading = ListOptions(column, delimiter, header_row, encoding)
    if text == recipients == "-":
        msg = "--text and --recipients cannot both be read from standard input"
        raise typer.BadParameter(msg)
    request_options: dict[str, Any] = {
        "message_class": message_class,
        "account": account,
        "key": key,
        "not_before": times.parse_future(at, "--at"),
        "not_after": times.parse_future(until, "--until"),
        "extension": extension,
    }
    asks = output.is_attended() and not (paused or yes or as_json)
    with open_session(config) as session, _open_recipients(recipients) as file:
        from worker.intake.enqueue_request import EnqueueRequest

        request = EnqueueRequest((), parsing.text(text), **request_options)
        if dry_run:
            campaign_dry_run.run(
                session,
                file,
                request,
                list_reading,
                allow or (),
                skip_bad=skip_bad,
                as_json=as_json,
            )
            return
        loaded = _load(
            session,
            file,
            name or _default_name(recipients),
            request,
            list_reading,
            allowed=allow or (),
            start=not paused and not asks,
            skip_bad=skip_bad,
        )
        may_start = not paused and (skip_bad or not loaded.invalid)
        if may_start and not asks:
            session.ring(message_class, "loaded")
        _print_loaded(session, loaded, as_json=as_json)
        if may_start and asks:
            campaign_question.ask_and_start(session, loaded)
    if loaded.invalid and not skip_bad:
        _print_advice(loaded)
        raise typer.Exit(failures.FAILED)


def _load(
    session: Session,
    file: BinaryIO,
    name: str,
    request: "EnqueueRequest",
    list_reading: ListOptions,
    *,
    allowed: Sequence[OddValue],
    start: bool,
    skip_bad: bool,
) -> "Loaded":
    """Load the recipients with a progress bar; when it is cut off, print how to go on."""
    from worker.intake import campaigns
    from worker.intake.lists import reader

    cut_off_notice = _cut_off_notice(name, request.key)
    with (
        reader.open_list(file, request.text, list_reading, allowed) as recipient_list,
        failures.interruptible(lambda: cut_off_notice),
        output.progress_bar("loading", recipient_list.line_count) as show_progress,
    ):
        try:
            loaded = campaigns.create(
                session.engine,
                session.settings,
                name,
                request,
                recipient_list.rows,
                given_names=recipient_list.facts.columns,
                allowed=allowed,
                who=operator_name(),
                on_progress=show_progress,
                start=start,
                skip_bad=skip_bad,
            )
        except Unavailable:
            output.print_hint(cut_off_notice)
            raise
    loaded.file = recipient_list.facts
    return loaded


@contextmanager
def _open_recipients(recipients: str) -> Iterator[BinaryIO]:
    """Lend the file; standard input is copied into a temporary file, which can be wound back."""
    if recipients != "-":
        with Path(recipients).open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(typer.get_binary_stream("stdin"), spool)
        yield cast("BinaryIO", spool)


def _default_name(recipients: str) -> str:
    """Return a campaign's name where none is given: the file's name, or the time."""
    if recipients != "-":
        return Path(recipients).stem[:200]
    return f"{datetime.now(SHANGHAI):%Y-%m-%d %H:%M}"


def _print_loaded(session: Session, loaded: "Loaded", *, as_json: bool) -> None:
    from producer.waiting import waits
    from worker.intake import campaigns

    if not as_json:
        output.print_warnings(loaded.warnings)
    bad_rows = [{"row": bad_row.where, "what": bad_row.what} for bad_row in loaded.bad_rows]
    campaign = campaigns.show(session.engine, loaded.id)
    extra_json: dict[str, Any] = {"warnings": output.problems_json(loaded.warnings)}
    if bad_rows:
        extra_json["bad_rows"] = bad_rows
    if loaded.file:
        extra_json["file"] = loaded.file.as_json()
    print_campaign(
        campaign,
        as_json=as_json,
        waits_for=waits.of_campaign(session.engine, session.settings, campaign),
        **extra_json,
    )
    list_options.print_facts(loaded.file)
    list_options.print_bad_rows(loaded)


def _print_advice(loaded: "Loaded") -> None:
    """Print what can be done with a campaign that was not started, because it has bad rows."""
    resume_advice = (
        f"; `xinshi campaign resume {loaded.id}` sends to the good ones" if loaded.total else ""
    )
    output.print_hint(
        f"nothing was sent: {loaded.invalid} bad row(s){resume_advice},"
        f" `xinshi campaign cancel {loaded.id}` drops it"
    )


def _cut_off_notice(name: str, key: str | None) -> str:
    """Return what is printed when loading is cut off: what is stored, and how to go on."""
    if key:
        advice = "the same command, with its --key, goes on with it"
    else:
        advice = "if `xinshi campaign list` shows it, `xinshi campaign cancel` drops it"
    return f"campaign {name!r} was not wholly loaded and nothing of it will be sent; {advice}"
