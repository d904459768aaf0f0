"""Normalise numbers, tell their kinds, and mask them.

A mainland mobile is 11 digits, `1[3-9]` and nine more; `+86`, `86` and `0086` are stripped on the
way in, and so is the trunk 0 that some dial before a mobile of another city. Landlines keep their
area code with its leading 0 and have 10 to 12 digits (document 001 prints `02185418874` and
`0218882228`, section 4); of the codes that begin with 01 there is 010 alone, Beijing's. Some
machine numbers have 13 digits and begin with `10` or `14`.
"""

import re
from collections.abc import Sequence

from worker.domain import number_marks
from worker.domain.enums import NumberKind

_COUNTRY_CODE = re.compile(r"^(?:\+|00)?86(?=1\d{10}$|10\d{11}$|14\d{11}$|0\d{9,11}$)")
_ANY_COUNTRY_CODE = re.compile(r"^(?:\+|00)86")
_TRUNK_ZERO = re.compile(r"^0(?=1[3-9]\d{9}$)")
_OTHER_KINDS = (
    (re.compile(r"0(?:10|[2-9]\d)\d{7,9}"), NumberKind.LANDLINE),
    (re.compile(r"1[04]\d{11}"), NumberKind.IOT),
)
_MOBILE_LINES = re.compile(r"(?:1[3-9][0-9]{9}\r?\n)*+")


def normalise(number: str) -> str:
    """Bring `number` to the form that is stored, or raise `ValueError` saying what is wrong.

    What `worker.domain.number_marks` knows around a number is forgiven; a country code of 86 is
    stripped, and a trunk 0 before a mobile. The error never repeats the whole number.
    """
    if is_mobile(number):
        return number
    bare = number_marks.bare(number)
    if not bare:
        msg = "the number is empty"
        raise ValueError(msg)
    digits = _TRUNK_ZERO.sub("", _COUNTRY_CODE.sub("", bare))
    if kind(digits) is None:
        raise ValueError(_problem(digits))
    return digits


def kind(msisdn: str) -> NumberKind | None:
    """Return the kind of a normalised number, by its form; None when it is no number we know."""
    if is_mobile(msisdn):
        return NumberKind.MOBILE
    for form, number_kind in _OTHER_KINDS:
        if form.fullmatch(msisdn) and msisdn.isascii():
            return number_kind
    return None


def is_mobile(number: str) -> bool:
    """Tell whether a number is a mobile one and already in the form that is stored, as most are."""
    return (
        len(number) == 11
        and number[0] == "1"
        and number[1] >= "3"
        and number.isascii()
        and number.isdigit()
    )


def are_mobile(numbers: Sequence[str]) -> bool:
    """Tell, at one go, whether all numbers are mobile ones in the form that is stored."""
    lines = "\n".join([*numbers, ""])
    # The length is compared too: a number may hold a line end itself.
    return len(lines) == 12 * len(numbers) and _MOBILE_LINES.fullmatch(lines) is not None


def mobiles_in_lines(lines: str) -> list[str] | None:
    """Return the numbers of whole lines, each of which is a mobile number as it is stored.

    None when a line holds anything else, a blank included.
    """
    return lines.split() if _MOBILE_LINES.fullmatch(lines) else None


def mask(msisdn: str) -> str:
    """Hide the middle of a number: `13812345678` becomes `138****5678`, safe for logs and pages."""
    if len(msisdn) < 8:
        return "*" * len(msisdn)
    return f"{msisdn[:3]}****{msisdn[-4:]}"


def matches(masked: str, msisdn: str) -> bool:
    """Tell whether a number as a gateway prints it, whole or masked with `*`, can be `msisdn`.

    Document 003 prints `135****9831` in its samples (report and mo).
    """
    if "*" not in masked:
        return masked == msisdn
    head, tail = masked.split("*", 1)[0], masked.rsplit("*", 1)[1]
    return len(masked) == len(msisdn) and msisdn.startswith(head) and msisdn.endswith(tail)


def _problem(digits: str) -> str:
    digits = _ANY_COUNTRY_CODE.sub("", digits)
    shown = mask(digits)
    if digits.startswith(("+", "00")):
        return f"{shown} is a number abroad; only mainland numbers can be sent to"
    if code := number_marks.left_over(digits):
        return f"{shown} holds {code}, which no number has"
    if digits.startswith("1") and len(digits) != 11:
        return f"{shown} has {len(digits)} digits; a mobile number has 11"
    return f"{shown} is neither a mobile number (1[3-9] and nine digits) nor a landline (0 + area)"
