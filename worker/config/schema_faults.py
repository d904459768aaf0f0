"""Say in our own words what pydantic finds wrong, for the configuration and the HTTP API alike.

No value is repeated: it may be a secret, a number or a text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

#: A sentence for each type of pydantic's errors, filled in from the error's context.
_SENTENCES = {
    **dict.fromkeys(("bool_parsing", "bool_type"), "must be true or false"),
    **dict.fromkeys(("enum", "literal_error"), "must be {expected}"),
    **dict.fromkeys(("int_from_float", "int_parsing", "int_type"), "must be a whole number, as 8"),
    **dict.fromkeys(("float_parsing", "float_type"), "must be a number, as 1.5"),
    **dict.fromkeys(("string_sub_type", "string_type"), "must be a text, in quotes"),
    **dict.fromkeys(
        ("frozen_set_type", "list_type", "set_type", "tuple_type"), 'must be a list, as ["a", "b"]'
    ),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_attributes_type", "model_type"),
        "must be a table of names and values",
    ),
    **dict.fromkeys(
        ("datetime_from_date_parsing", "datetime_parsing", "datetime_type"),
        "must be a time with its zone, as 2026-11-28T08:00:00+08:00",
    ),
    **dict.fromkeys(
        ("ip_v4_network", "ip_v6_network"), "must be a network, as 10.0.0.0/8 or fd00::/8"
    ),
    "extra_forbidden": "is unknown",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "missing": "is missing",
    "string_pattern_mismatch": "has a character that may not stand there",
    "string_too_long": "has more than {max_length} characters",
    "string_too_short": "has fewer than {min_length} characters",
    "timezone_aware": "needs a time zone, as 2026-11-28T08:00:00+08:00",
    "too_long": "has more than {max_length} entries",
    "too_short": "has fewer than {min_length} entries",
}


def sentence(fault: Mapping[str, Any]) -> str:
    """Return what is wrong by an error of pydantic; in its own words where there are none of ours.

    `fault` is one of `ValidationError.errors()`.
    """
    context = {name: _written(limit) for name, limit in (fault.get("ctx") or {}).items()}
    if context.get("min_length") == "1":
        return "is empty"
    own_words = _SENTENCES.get(str(fault["type"]))
    if own_words is not None:
        return own_words.format_map(context)
    words = str(fault["msg"]).removeprefix("Value error, ")
    return words.replace("Input should be", "must be", 1)


def _written(limit: object) -> str:
    """Return a limit, or a list of choices, as a sentence has it: 0 for 0.0, without quotes."""
    whole = int(limit) if isinstance(limit, float) and limit.is_integer() else limit
    return str(whole).replace("'", "")


def path(location: Sequence[str | int]) -> list[str]:
    """Return the steps that stand in the input; those that name a type of pydantic's do not."""
    return [str(step) for step in location if "[" not in str(step)]
