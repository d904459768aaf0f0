"""`xinshi opt-out`: opt out who wrote a reply that only a person understands."""

from typing import Annotated

import typer

from producer.cli import options, output, parsing
from producer.cli.session import open_session, operator_name

_Reply = Annotated[int, typer.Argument(metavar="REPLY", help="Its id: `xinshi inbound --unclear`.")]
_Number = Annotated[
    str | None, typer.Argument(metavar="[NUMBER]", help="Who wrote it, where that is masked.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi opt-out 17", "xinshi opt-out 17 13812345678", name="opt-out")(
        opt_out
    )


def opt_out(
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
