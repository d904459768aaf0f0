"""`xinshi doctor`: report what is wrong and what to do, or probe whether work makes progress."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import failures, options, output
from producer.cli.session import open_session
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
_ProbedClasses = Annotated[
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
    classes: _ProbedClasses = None,
    late: _Late = "60s",
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Look at everything that a delivery needs: what is wrong with it, and what to do.

    The configuration, the broker, Redis, the database and its schema, workers, ticks that fail,
    pages that were not read, codes that no table knows, accounts that messages wait for, and each
    account by one balance call, unless it is held. Exit code 1 if anything is wrong; it also warns
    of what others could read, and of a proxy in the environment, which is not used.

    With --probe it looks at nothing but progress: exit code 1 if work of a class has been due for
    longer than --late and nothing of it is called, or no tick was run for so long. Ticks that fail
    and pages that were not read are shown, and do not count: a restart would not mend them.
    """
    checks = _run_probe(config, classes or [], late) if probe else _run_checks(config)
    if as_json:
        output.print_json([check.as_json() for check in checks])
    else:
        rows = [(check.state, check.subject, check.problem) for check in checks]
        output.print_table(("", "what", "problem"), rows)
        for check in checks:
            if check.advice:
                output.print_line(f"{check.subject}: {check.advice}")
    if any(check.state == "wrong" for check in checks):
        raise typer.Exit(failures.FAILED)


def _run_probe(config: "Path | None", classes: list[str], late: str) -> "list[Check]":
    from producer.cli import liveness_probe
    from worker.domain import durations

    try:
        probed_work, late_seconds = (
            [liveness_probe.ProbedWork(class_name) for class_name in classes],
            durations.parse(late),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with open_session(config) as session:
        return liveness_probe.probe(session, probed_work, late_seconds)


def _run_checks(config: "Path | None") -> "list[Check]":
    from producer.cli import doctor_checks, environment_checks, secrecy_checks

    try:
        with open_session(config) as session:
            return [
                *doctor_checks.run_checks(session),
                *secrecy_checks.run_checks(session.settings),
                *environment_checks.run_checks(session.settings, os.environ),
            ]
    except ConfigurationError as error:
        return doctor_checks.configuration_checks(error)
