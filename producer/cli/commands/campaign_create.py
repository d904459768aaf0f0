"""`xinshi campaign create`: load a campaign's recipients from a CSV file, and start it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from producer.cli import failures, options, output, parsing, times
from producer.cli.campaign_report import print_campaign
from producer.cli.groups import campaign_group
from producer.cli.session import Session, open_session, operator_name
from worker.domain.enums import MessageClass
from worker.domain.errors import Unavailable
from worker.domain.timezone import SHANGHAI

if TYPE_CHECKING:
    from worker.intake.campaign_loader import Loaded

#: How many bad rows are printed; JSON has more.
MAX_PRINTED_ROWS = 20
_Recipients = Annotated[
    str,
    typer.Option(
        "--recipients", metavar="FILE.csv", help="A CSV file of numbers; - is standard input."
    ),
]
_Text = Annotated[
    str, typer.Option("--text", help="The text; {NAME} is the column NAME; - is standard input.")
]
_Name = Annotated[str | None, typer.Option("--name", help="A name to find it by.")]
_Paused = Annotated[bool, typer.Option("--paused", help="Load it; `campaign resume` starts it.")]
_SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out and start.")]


def register(_app: typer.Typer) -> None:
    """Add the command to its group."""
    options.command(
        campaign_group,
        'xinshi campaign create --text "【Shop】Sale 回T退订" --recipients customers.csv',
        'xinshi campaign create --text "【Shop】Dear {name} …" --recipients - < customers.csv',
        "xinshi campaign create --text - --recipients numbers.csv --at 09:00 --until 20:00",
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
    key: options.Key = None,
    extension: options.Extension = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Load a campaign from a CSV file, and start it once it is wholly loaded.

    The file is UTF-8 or GBK, with commas, semicolons or tabs. Its numbers stand in the column
    msisdn, mobile, phone, 手机号 or 号码, or in its only column; other columns are values for
    {NAME} in the text. With a bad row nothing is sent and the exit code is 1, unless --skip-bad; of
    a number that stands there twice the first row counts.
    """
    if text == recipients == "-":
        msg = "--text and --recipients cannot both be read from standard input"
        raise typer.BadParameter(msg)
    request_options = {
        "message_class": message_class,
        "account": account,
        "key": key,
        "not_before": times.parse_future(at, "--at"),
        "not_after": times.parse_future(until, "--until"),
        "extension": extension,
    }
    with open_session(config) as session, _open_recipients(recipients) as file:
        loaded = _load(
            session,
            file,
            parsing.text(text),
            name or _default_name(recipients),
            request_options,
            start=not paused,
            skip_bad=skip_bad,
        )
        if not paused and (skip_bad or not loaded.invalid):
            session.ring(message_class, "loaded")
        _print_loaded(session, loaded, as_json=as_json)
    if loaded.invalid and not skip_bad:
        _print_advice(loaded)
        raise typer.Exit(failures.FAILED)


def _load(
    session: Session,
    file: BinaryIO,
    text: str,
    name: str,
    request_options: dict[str, Any],
    **start_options: Any,
) -> "Loaded":
    """Load the recipients with a progress bar; when it is cut off, print how to go on."""
    from worker.intake import campaigns, csv_reader
    from worker.intake.enqueue import EnqueueRequest

    request = EnqueueRequest((), text, **request_options)
    cut_off_notice = _cut_off_notice(name, request.key)
    with (
        csv_reader.open_recipients(file, text) as csv_recipients,
        failures.interruptible(lambda: cut_off_notice),
        output.progress_bar("loading", csv_recipients.line_count) as show_progress,
    ):
        try:
            return campaigns.create(
                session.engine,
                session.settings,
                name,
                request,
                csv_recipients.rows,
                who=operator_name(),
                on_progress=show_progress,
                **start_options,
            )
        except Unavailable:
            output.print_hint(cut_off_notice)
            raise


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
    from producer.cli import waiting_reasons
    from worker.intake import campaigns

    if not as_json:
        output.print_warnings(loaded.warnings)
    bad_rows = [{"row": bad_row.where, "what": bad_row.what} for bad_row in loaded.bad_rows]
    campaign = campaigns.show(session.engine, loaded.id)
    extra_json: dict[str, Any] = {"warnings": output.problems_json(loaded.warnings)}
    if bad_rows:
        extra_json["bad_rows"] = bad_rows
    print_campaign(
        campaign,
        as_json=as_json,
        waits_for=waiting_reasons.reasons_of(session, campaign),
        **extra_json,
    )
    for bad_row in loaded.bad_rows[:MAX_PRINTED_ROWS]:
        output.print_error(str(bad_row))
    if loaded.invalid > MAX_PRINTED_ROWS:
        output.print_hint(
            f"{loaded.invalid} bad rows in all; --json lists up to {loaded.MAX_BAD_ROWS}"
        )


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
