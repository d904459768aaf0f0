"""`xinshi doctor`: what is wrong, and what to do."""

from typing import TYPE_CHECKING

import typer

from producer.cli import faults, options, output
from producer.cli.session import opened
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from producer.cli.checks import Check


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi doctor", "xinshi doctor --json")(doctor)


def doctor(*, as_json: options.Json = False, config: options.Config = None) -> None:
    """Look at everything that a delivery needs: what is wrong with it, and what to do.

    The configuration, the broker, Redis, the database and its schema, workers, codes that no table
    knows, accounts that messages wait for, and each account by one balance call, unless it is held.
    Exit code 1 if anything is wrong.
    """
    found = _checks(config)
    if as_json:
        output.as_json([one.as_json() for one in found])
    else:
        rows = [("wrong" if one.problem else "ok", one.what, one.problem) for one in found]
        output.table(("", "what", "problem"), rows)
        for one in found:
            if one.advice:
                output.line(f"{one.what}: {one.advice}")
    if any(one.problem for one in found):
        raise typer.Exit(faults.FAILED)


def _checks(config: "Path | None") -> "list[Check]":
    from producer.cli import checks

    try:
        with opened(config) as here:
            return list(checks.all_of(here))
    except ConfigurationError as error:
        return checks.faults_of(error)
