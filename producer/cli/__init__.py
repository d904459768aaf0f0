"""The command line, `xinshi`.

`commands` has a module for each noun and in it a function for each verb; the modules beside it are
what several commands share. No command module is imported by another module than `app`.

Exit codes: 0 done, 1 failed, 2 wrong usage, input or configuration, 130 interrupted. Errors go to
standard error, one line each; `--json` prints data as JSON. Heavy imports stand inside the commands
that need them, so that `--help` answers at once.
"""

import sys

#: The packages of the extra `cli`, which an application that only enqueues does not install.
_CLI_PACKAGES = {"alembic", "rich", "typer"}


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    try:
        from producer.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in _CLI_PACKAGES:
            raise
        sys.exit(f"error: {error.name} is not installed; pip install 'xinshi[cli]'")
    from producer.cli import console_encoding

    console_encoding.forgive_output()
    problem = console_encoding.argument_problem(sys.argv[1:])
    if problem:
        sys.stderr.write(f"error: {problem}\n")
        sys.exit(2)
    app(prog_name="xinshi")
