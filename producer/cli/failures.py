"""What goes wrong, as a person reads it: one line for each fault, and the exit code it means."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from producer.cli import output
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


class Root(TyperGroup):
    """The group of all commands: whatever is foreseeable ends in words, not in a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        with reported():
            return super().invoke(ctx)


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn the errors of the block into lines on standard error and an exit code."""
    try:
        yield
    except ConfigurationError as error:
        _each("configuration: ", error)
        raise typer.Exit(USAGE) from None
    except Refused as error:
        _each("", error)
        raise typer.Exit(FAILED if isinstance(error, KeyConflict) else USAGE) from None
    except ValidityOver as error:
        output.error(str(error))
        raise typer.Exit(USAGE) from None
    except XinshiError as error:
        output.error(str(error))
        raise typer.Exit(FAILED) from None
    except (KeyboardInterrupt, typer.Abort):
        output.error("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        # A reader that has gone away (`| head`) is no fault.
        if error.errno in {None, errno.EPIPE}:
            raise
        output.error(": ".join(filter(None, [str(error.filename or ""), error.strerror])))
        raise typer.Exit(FAILED) from None


@contextlib.contextmanager
def interruptible(word: Callable[[], str]) -> Iterator[None]:
    """Let Ctrl-C end the block with exit code 130 and `word`: what is stored and what goes on."""
    try:
        yield
    except KeyboardInterrupt:
        output.error(f"interrupted; {word()}")
        raise typer.Exit(INTERRUPTED) from None


def _each(before: str, error: ConfigurationError | Refused) -> None:
    for problem in error.problems:
        output.error(f"{before}{problem}")
