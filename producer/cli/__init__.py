"""The command line, `xinshi`: one module for each noun, one function for each verb.

Exit codes: 0 done, 1 failed, 2 wrong usage, input or configuration, 130 interrupted. Errors go to
standard error, one line each; `--json` prints data as JSON. Heavy imports stand inside the commands
that need them, so that `--help` answers at once.
"""

import sys

#: What the extra `cli` brings; an application that only enqueues goes without.
_EXTRA = {"alembic", "rich", "typer"}


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    try:
        from producer.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.exit(f"error: {error.name} is not installed; pip install 'xinshi[cli]'")
    app(prog_name="xinshi")
