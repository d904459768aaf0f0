"""Turn errors into lines on standard error, one for each problem, and an exit code."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from typing import Any

import typer

from producer.cli import output
from producer.cli.value_names import NamedValuesGroup
from worker.domain.errors import (
    ConfigurationError,
    KeyConflict,
    Refused,
    ValidityOver,
    XinshiError,
)

OK = 0
FAILED = 1
#: Wrong usage, input or configuration: to repeat the command unchanged is of no use.
USAGE = 2
INTERRUPTED = 130


class RootGroup(NamedValuesGroup):
    """The group of all commands, which reports every foreseeable error without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        with report_errors():
            return super().invoke(ctx)


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """Print the error that ends the block, and raise `typer.Exit` with its exit code instead."""
    try:
        yield
    except ConfigurationError as error:
        _print_problems("configuration: ", error)
        raise typer.Exit(USAGE) from None
    except Refused as error:
        _print_problems("", error)
        raise typer.Exit(FAILED if isinstance(error, KeyConflict) else USAGE) from None
    except ValidityOver as error:
        output.print_error(str(error))
        raise typer.Exit(USAGE) from None
    except XinshiError as error:
        output.print_error(str(error))
        raise typer.Exit(FAILED) from None
    except (KeyboardInterrupt, typer.Abort):
        output.print_error("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        # A reader that has gone away (`| head`) is no fault.
        if error.errno in {None, errno.EPIPE}:
            raise
        output.print_error(": ".join(filter(None, [str(error.filename or ""), error.strerror])))
        raise typer.Exit(FAILED) from None


@contextlib.contextmanager
def interruptible(describe_state: Callable[[], str]) -> Iterator[None]:
    """Let Ctrl-C end the block with exit code 130 and an error line.

    The line ends with what `describe_state` returns: what is stored, and what goes on.
    """
    try:
        yield
    except KeyboardInterrupt:
        output.print_error(f"interrupted; {describe_state()}")
        raise typer.Exit(INTERRUPTED) from None


def _print_problems(prefix: str, error: ConfigurationError | Refused) -> None:
    """Print an error line for each problem."""
    for problem in error.problems:
        output.print_error(f"{prefix}{problem}")
