"""The command line, `xinshi`: one module for each noun, one function for each verb.

Exit codes: 0 done, 1 failed, 2 wrong usage, input or configuration, 130 interrupted. Errors go to
standard error, one line each; `--json` prints data as JSON. Heavy imports stand inside the commands
that need them, so that `--help` answers at once.
"""

from producer.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    app(prog_name="xinshi")
