"""Bounds how long an answer may be, by the kind of call that it answers.

A call reads no further than its bound, so what a server can make a worker hold in memory is known
before it is asked.
"""

from typing import NamedTuple


class AnswerBound(NamedTuple):
    """The longest body that a call takes, in bytes, as it travels and as it is decoded."""

    max_bytes: int
    #: Whether what came of a body is returned, marked by `CUT_HEADER`, where the answer is longer
    #: or not whole. It is for reads that destroy what they return; any other call fails then.
    keeps_start: bool = False


#: A balance, a counter, a change of the password: some hundred bytes, or a front end's page.
STATUS = AnswerBound(1_000_000)
#: A page of reports or replies: 60,000 rows of JSON, 45,000 of XML. No document limits a page, but
#: a process reads all of it in its memory and its time, and this takes a second.
PAGE = AnswerBound(8_000_000, keeps_start=True)
_SUBMISSION_BYTES = 64 * 1024
_MESSAGE_BYTES = 512


def of_submission(messages: int) -> AnswerBound:
    """Return the bound of an answer to a submission: room for a result of each message."""
    return AnswerBound(_SUBMISSION_BYTES + _MESSAGE_BYTES * messages)
