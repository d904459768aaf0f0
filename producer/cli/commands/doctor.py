"""`xinshi doctor`: what is wrong, and what to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import failures, options, output
from producer.cli.session import opened
from worker.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from producer.cli.doctor_checks import Check


def register(app: typer.Typer) -> None:
    """Add the command."""
    probing = "xinshi doctor --probe --class otp --late 30s"
    options.command(app, "xinshi doctor", "xinshi doctor --json", probing)(doctor)


_Probe = Annotated[
    bool,
    typer.Option("--probe", help="Only look whether work moves on: quick, for an orchestrator."),
]
_Part = Annotated[
    list[str] | None,
    typer.Option(
        "--class", metavar="CLASS", help="With --probe: otp, notice, marketing, ticks; else all."
    ),
]
_Late = Annotated[
    str, typer.Option("--late", metavar="SPAN", help="With --probe: how long due work may wait.")
]


def doctor(
    *,
    probe: _Probe = False,
    part: _Part = None,
    late: _Late = "60s",
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Look at everything that a delivery needs: what is wrong with it, and what to do.

    The configuration, the broker, Redis, the database and its schema, workers, codes that no table
    knows, accounts that messages wait for, and each account by one balance call, unless it is held.
    Exit code 1 if anything is wrong.

    With --probe it looks at nothing but progress: exit code 1 if work of a class has been due for
    longer than --late and nothing of it is called, or no tick was run for so long.
    """
    found = _probed(config, part or [], late) if probe else _checks(config)
    if as_json:
        output.as_json([one.as_json() for one in found])
    else:
        rows = [("wrong" if one.problem else "ok", one.what, one.problem) for one in found]
        output.table(("", "what", "problem"), rows)
        for one in found:
            if one.advice:
                output.line(f"{one.what}: {one.advice}")
    if any(one.problem for one in found):
        raise typer.Exit(failures.FAILED)


def _probed(config: "Path | None", parts: list[str], late: str) -> "list[Check]":
    from producer.cli import liveness_probe
    from worker.domain import durations

    try:
        wanted, seconds = [liveness_probe.ProbedWork(one) for one in parts], durations.parse(late)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with opened(config) as here:
        return liveness_probe.look(here, wanted, seconds)


def _checks(config: "Path | None") -> "list[Check]":
    from producer.cli import doctor_checks

    try:
        with opened(config) as here:
            return list(doctor_checks.all_of(here))
    except ConfigurationError as error:
        return doctor_checks.faults_of(error)
