"""Read and write what a value may be: `4-6,digits`, `-20,no-links`, `1-8,not:,;`."""

import re

from worker.domain.errors import Problem, Refused
from worker.domain.renderings import ValueLimits

#: The most characters of any one value that a limit speaks of.
MAX_LENGTH = 1000
_LENGTHS = re.compile(r"([0-9]{0,4})-([0-9]{0,4})")
_FORM = "write 4-6 (characters), digits, no-links, not: and the characters; with commas between"


def parse(where: str, text: str) -> ValueLimits:
    """Return the limits that a text describes. Raises `Refused` with what is wrong, at `where`.

    `4-6` is how many characters, `4-` at least, `-6` at most; `digits` and `no-links` say what they
    are; `not:` stands last, all behind it are characters that the value may not hold.
    """
    rules, _, forbidden = text.partition("not:")
    limits = ValueLimits(forbidden=_distinct(forbidden))
    words = [word.strip() for word in rules.split(",")]
    for word in filter(None, words):
        match = _LENGTHS.fullmatch(word)
        if word == "digits":
            limits = limits._replace(digits=True)
        elif word == "no-links":
            limits = limits._replace(links=False)
        elif match and word != "-":
            shortest, longest = match.groups()
            limits = limits._replace(
                min_length=int(shortest or 0), max_length=int(longest) if longest else None
            )
        else:
            raise Refused([Problem(where, f"{word[:20]!r} is no limit; {_FORM}")])
    problems = limit_problems(where, limits)
    if not any(words) and not forbidden:
        problems = [Problem(where, f"is empty; {_FORM}")]
    if problems:
        raise Refused(problems)
    return limits


def show(limits: ValueLimits) -> str:
    """Return limits as `parse` reads them; "" where there are none."""
    words = []
    if limits.min_length or limits.max_length is not None:
        longest = "" if limits.max_length is None else limits.max_length
        words.append(f"{limits.min_length or ''}-{longest}")
    if limits.digits:
        words.append("digits")
    if not limits.links:
        words.append("no-links")
    if limits.forbidden:
        words.append(f"not:{limits.forbidden}")
    return ",".join(words)


def limit_problems(where: str, limits: ValueLimits) -> list[Problem]:
    """Return what is wrong with limits that no value, or any value, would meet."""
    shortest, longest = limits.min_length, limits.max_length
    if not 0 <= shortest <= MAX_LENGTH or not (longest is None or 1 <= longest <= MAX_LENGTH):
        return [Problem(where, f"has a length that is not among 1 to {MAX_LENGTH}")]
    if longest is not None and shortest > longest:
        return [Problem(where, f"at least {shortest} and at most {longest} characters: none fits")]
    return []


def _distinct(characters: str) -> str:
    return "".join(dict.fromkeys(characters))
