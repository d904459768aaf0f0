"""Make references: our own names of submissions, and of the messages in them.

A reference is 32 lower-case hex digits. Its last five count: a submission's own are zeros, and a
message's are its position there, so that either name tells the submission.
"""

import secrets

#: The digits that count, and the most messages that they can tell apart.
_COUNTING_DIGITS = 5
MAX_MESSAGES = 16**_COUNTING_DIGITS


def new() -> str:
    """Return a new reference of a submission."""
    chance = secrets.token_hex(14)[: 32 - _COUNTING_DIGITS]
    return chance + "0" * _COUNTING_DIGITS


def identity(reference: str, position: int) -> str:
    """Return the name of the message at a position of a submission; "" without a reference."""
    if not reference:
        return ""
    return f"{reference[:-_COUNTING_DIGITS]}{position:0{_COUNTING_DIGITS}x}"


def of_identity(identity: str) -> str:
    """Return the reference of the submission that a message of this name is in."""
    return identity[:-_COUNTING_DIGITS] + "0" * _COUNTING_DIGITS
