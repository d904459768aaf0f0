"""`xinshi campaign create`: load recipients from a CSV file, then start."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from producer.cli import (
    failures,
    options,
    output,
    times,
)
from producer.cli.commands import campaigns
from producer.cli.commands.send import body
from producer.cli.session import Session, opened
from worker.domain.enums import MessageClass
from worker.domain.errors import Unavailable

if TYPE_CHECKING:
    from worker.intake.campaign_loader import Loaded

#: Bad rows that are printed; JSON has more.
MOST_SHOWN = 20
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
        campaigns.group,
        'xinshi campaign create --text "【Shop】Sale 回T退订" --recipients customers.csv',
        'xinshi campaign create --text "【Shop】Dear {name} …" --recipients - < customers.csv',
        "xinshi campaign create --text - --recipients numbers.csv --at 09:00 --until 20:00",
    )(create)


def create(
    *,
    text: _Text,
    recipients: _Recipients,
    message_class: options.Class = MessageClass.MARKETING,
    account: options.Carrier = None,
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
    words = {
        "message_class": message_class,
        "account": account,
        "key": key,
        "not_before": times.ahead(at, "--at"),
        "not_after": times.ahead(until, "--until"),
        "extension": extension,
    }
    with opened(config) as here, _file(recipients) as file:
        loaded = _load(
            here,
            file,
            body(text),
            name or _named(recipients),
            words,
            start=not paused,
            skip_bad=skip_bad,
        )
        if not paused and (skip_bad or not loaded.invalid):
            here.ring(message_class, "loaded")
        _show(here, loaded, as_json=as_json)
    if loaded.invalid and not skip_bad:
        _advise(loaded)
        raise typer.Exit(failures.FAILED)


def _load(
    here: Session, file: BinaryIO, text: str, name: str, words: dict[str, Any], **how: bool
) -> "Loaded":
    from worker.intake import campaigns as loading
    from worker.intake import csv_reader
    from worker.intake.enqueue import EnqueueRequest

    order = EnqueueRequest((), text, **words)
    cut_off = _cut_off(name, order.key)
    with (
        csv_reader.reading(file, text) as found,
        failures.interruptible(lambda: cut_off),
        output.bar("loading", found.lines) as watch,
    ):
        try:
            return loading.create(
                here.engine, here.settings, name, order, found.rows, watch=watch, **how
            )
        except Unavailable:
            output.hint(cut_off)
            raise


@contextmanager
def _file(recipients: str) -> Iterator[BinaryIO]:
    """Lend the file; standard input is kept in a temporary one, which can be wound back."""
    if recipients != "-":
        with Path(recipients).open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(typer.get_binary_stream("stdin"), spool)
        yield cast("BinaryIO", spool)


def _named(recipients: str) -> str:
    if recipients != "-":
        return Path(recipients).stem[:200]
    return f"{datetime.now(output.SHANGHAI):%Y-%m-%d %H:%M}"


def _show(here: Session, loaded: "Loaded", *, as_json: bool) -> None:
    from producer.cli import waiting_reasons
    from worker.intake import campaigns as stored

    bad = [{"row": one.where, "what": one.what} for one in loaded.bad_rows]
    found = stored.show(here.engine, loaded.id)
    more = {"bad_rows": bad} if bad else {}
    campaigns.shown(found, as_json=as_json, waits_for=waiting_reasons.why(here, found), **more)
    for one in loaded.bad_rows[:MOST_SHOWN]:
        output.error(str(one))
    if loaded.invalid > MOST_SHOWN:
        output.hint(f"{loaded.invalid} bad rows in all; --json lists up to {loaded.MOST_BAD_ROWS}")


def _advise(loaded: "Loaded") -> None:
    good = f"; `xinshi campaign resume {loaded.id}` sends to the good ones" if loaded.total else ""
    output.hint(
        f"nothing was sent: {loaded.invalid} bad row(s){good},"
        f" `xinshi campaign cancel {loaded.id}` drops it"
    )


def _cut_off(name: str, key: str | None) -> str:
    if key:
        then = "the same command, with its --key, goes on with it"
    else:
        then = "if `xinshi campaign list` shows it, `xinshi campaign cancel` drops it"
    return f"campaign {name!r} was not wholly loaded and nothing of it will be sent; {then}"
