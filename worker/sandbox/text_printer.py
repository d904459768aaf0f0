"""Prints each text that a sandbox takes, for who develops and looks at a terminal."""

import contextlib
import sys

from worker.sandbox.exchange import TakenSubmission

#: How many numbers of a submission are printed.
MAX_NUMBERS = 3


def print_texts(gateway: str, submission: TakenSubmission) -> None:
    """Print a submission that was taken: its gateway, its numbers and its text, in a line."""
    # Whoever started this process may have closed the pipe.
    with contextlib.suppress(BrokenPipeError):
        line = text_line(gateway, submission)
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()


def text_line(gateway: str, submission: TakenSubmission) -> str:
    """Return a line for a submission; what would move a terminal's cursor is no part of it."""
    numbers = ", ".join(submission.msisdns[:MAX_NUMBERS])
    more = len(submission.msisdns) - MAX_NUMBERS
    if more > 0:
        numbers += f" and {more} more"
    template = f"template {submission.template} " if submission.template else ""
    text = "".join(
        character if character.isprintable() else "\ufffd"
        for character in submission.text.replace("\n", " ⏎ ")
    )
    return f"[{gateway}] to {numbers}: {template}{text}"
