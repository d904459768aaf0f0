"""Rules for the values that recipients have in a text, wherever these come from."""

import re
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from worker.domain import invisible
from worker.domain.texts import characters

#: Characters of which no value is a bad one, save words of `_MISSING`: most are made of these.
_PLAIN = re.compile("[\u4e00-\u9fff0-9A-Za-z ,.()·-]*+")
#: What programs write where a value is missing, casefolded.
_MISSING = frozenset(
    "nan -nan +nan 1.#qnan 1.#ind -1.#ind nat <na> n/a n.a. #n/a #na #nv none null nil \\n (null)"  # noqa: SIM905
    " <null> [null] (none) (nil) undefined missing #ref! #value! #div/0! #name? #num! #null!"
    " #spill! #calc! #field! #blocked! #unknown! #getting_data #bezug! #wert! inf -inf infinity"
    " -infinity 0000-00-00 {} [] () - -- --- — —— nullptr system.dbnull".split()
) | {"#n/a n/a", "[object object]", "0000-00-00 00:00:00"}
#: `NA` is what R writes; 娜's own name is Na.
_MISSING_AS_WRITTEN = frozenset({"NA"})
#: A column that was too narrow, an error of LibreOffice, and characters that a program lacked.
_MISSING_FORM = re.compile(r"#{3,}|(?i:err:\d{3})|[?？]{2,}")
#: What U+FFFD, read as GBK, becomes.
_DAMAGE = "锟斤拷"
#: No gateway carries a text as long as this, and a block of rows is in memory.
MAX_VALUE_LENGTH = 2000


class OddValue(StrEnum):
    """Values that make a row a bad one, unless they are allowed."""

    LINE_BREAK = "line-breaks"
    MISSING = "missing-values"


def all_plain(values: Sequence[str]) -> bool:
    """Tell, at one go, whether no value has a problem; a False is no proof that one has."""
    joined = "".join(values)
    return (
        _MISSING.isdisjoint(map(str.casefold, values))
        and _MISSING_AS_WRITTEN.isdisjoint(values)
        and all(map(str.strip, values))
        and _DAMAGE not in joined
        and max(map(len, values), default=0) <= MAX_VALUE_LENGTH
        and (_PLAIN.fullmatch(joined) is not None or _are_sendable(joined))
    )


def _are_sendable(joined: str) -> bool:
    """Tell whether values, joined, hold nothing that needs a look of its own."""
    return not characters.may_hold_unsendable(joined) and not any(
        mark in joined for mark in ("\t", "\n", "\r", "###", ":", "??", "？？")
    )


def problem(variables: Iterable[tuple[str, str]], allowed: Collection[OddValue] = ()) -> str | None:
    """Return why values cannot be sent, by the first that cannot; None when all can."""
    for name, value in variables:
        if OddValue.MISSING not in allowed and is_missing(value):
            return (
                f"has {value} as its {name}, which programs write for a missing value; write what"
                f" is meant, or allow {OddValue.MISSING}"
            )
        if len(value) > MAX_VALUE_LENGTH:
            return f"has a {name} of {len(value)} characters; {MAX_VALUE_LENGTH} are the most"
        if _DAMAGE in value:
            return f"has {_DAMAGE} in its {name}: the list was damaged before"
        if OddValue.LINE_BREAK not in allowed and ("\n" in value or "\r" in value):
            return f"has the end of a line in its {name}; remove it, or allow {OddValue.LINE_BREAK}"
        at = value.find("\t") if "\t" in value else next(characters.unsendable(value), None)
        if at is not None:
            return f"has U+{ord(value[at]):04X} in its {name}, {_meaning(value[at])}"
    return None


def is_missing(value: str) -> bool:
    """Tell whether a whole value is what a program writes for a missing one."""
    return (
        value.strip().casefold() in _MISSING
        or value in _MISSING_AS_WRITTEN
        or bool(_MISSING_FORM.fullmatch(value))
    )


def _meaning(character: str) -> str:
    if character == "\ufffd":
        return "which stands for what could not be read: the list was damaged before"
    if "\ue000" <= character <= "\uf8ff" or character >= "\U000f0000":
        return "a private-use character: each handset shows another one, or none"
    if invisible.remove(character) == "":
        return "which nobody sees: remove it"
    return "which no handset shows"
