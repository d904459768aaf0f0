"""Lets a command work where a terminal, a pipe or a locale is not UTF-8.

What is printed never ends a command: it comes after the work was done. Arguments whose bytes are
in another encoding than the locale says are refused, since other characters would be sent.
"""

import io
import os
import sys
from collections.abc import Sequence

_ADVICE = (
    "nothing was done. Set a locale of the terminal's encoding (LC_ALL=C.UTF-8), or let --text -"
    " and --recipients - read standard input"
)


def forgive_output() -> None:
    """Print characters that an output cannot carry by their codes, with a backslash before."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def can_carry(text: str) -> bool:
    """Tell whether standard output can carry each character of a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def argument_problem(arguments: Sequence[str]) -> str | None:
    """Say which argument came in another encoding than the locale's; None where none did."""
    encoding = sys.getfilesystemencoding()
    for nth, argument in enumerate(arguments, 1):
        if argument.isascii():
            continue
        content = _bytes_of(argument)
        if content is None or not _is_in(content, encoding):
            reason = f"holds bytes that are not {encoding}, the locale's encoding"
        elif encoding != "utf-8" and _is_in(content, "utf-8"):
            reason = f"holds bytes of UTF-8, and the locale's encoding is {encoding}"
        else:
            continue
        return f"{_place(arguments, nth)} {reason}; {_ADVICE}"
    return None


def _bytes_of(argument: str) -> bytes | None:
    """Return the bytes of an argument; None where the C library read them by other tables."""
    try:
        return os.fsencode(argument)
    except UnicodeEncodeError:
        return None


def _is_in(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _place(arguments: Sequence[str], nth: int) -> str:
    """Return where an argument stands, without what it holds: by its option, or its position."""
    argument, before = arguments[nth - 1], arguments[nth - 2] if nth > 1 else ""
    option = argument.partition("=")[0] if argument.startswith("--") else before
    if option.startswith("--") and option.isascii():
        return f"{option}: it"
    return f"argument {nth}: it"
