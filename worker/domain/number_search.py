"""Reads a number that something is looked for by."""

from worker.domain import msisdn


def whole(number: str) -> str:
    """Return a number, written in any way, as it is stored; messages are looked for by that alone.

    Raises `ValueError`, which says of a part of a number that parts are not searched for.
    """
    try:
        return msisdn.normalise(number)
    except ValueError:
        if 0 < sum(map(str.isdigit, number)) < 10:
            msg = (
                "only whole numbers are searched for, and this is a part of one; write all of its"
                " digits, with or without +86, blanks or dashes"
            )
            raise ValueError(msg) from None
        raise
