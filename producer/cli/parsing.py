"""Parse what options hold: numbers, a text, `NAME=VALUE` pairs.

Each function raises `typer.BadParameter`, which names the option, for a value that it cannot read.
Where a number or a text is `-` it is read from standard input: every user of a machine may see the
command lines of all others.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import typer


def msisdn(number: str, option: str) -> str:
    """Return a number in the form in which numbers are stored; `-` reads it from standard input."""
    from worker.domain import number_search

    try:
        return number_search.whole(_standard_input(option) if number == "-" else number)
    except ValueError as error:
        msg = f"{option}: {error}"
        raise typer.BadParameter(msg) from None


def msisdns(given: Sequence[str], option: str) -> list[str]:
    """Return numbers in the form in which they are stored; `-` reads them from standard input."""
    from worker.domain import number_search

    number_lists = [
        _standard_input(option).replace("\n", ",") if number == "-" else number for number in given
    ]
    stored = []
    for position, number in enumerate(numbers(number_lists), 1):
        try:
            stored.append(number_search.whole(number))
        except ValueError as error:
            msg = f"{option} {position}: {error}"
            raise typer.BadParameter(msg) from None
    if not stored:
        msg = f"{option}: none is given"
        raise typer.BadParameter(msg)
    return stored


def numbers(number_lists: Sequence[str]) -> list[str]:
    """Split lists of numbers at their commas and semicolons, half or full width; check nothing."""
    return [
        number.strip()
        for number_list in number_lists
        for number in re.split(r"[,;，；、]", number_list)
        if number.strip()
    ]


def numbers_and_text(number_lists: Sequence[str], text_argument: str) -> tuple[list[str], str]:
    """Return the numbers that --to lists and the text that --text gives.

    Where both are read from standard input, the numbers stand on its first line.
    """
    given = [number_list for number_list in number_lists if number_list != "-"]
    if len(given) == len(number_lists):
        return numbers(given), text(text_argument)
    content = _standard_input("--to")
    if text_argument != "-":
        return numbers([*given, *content.splitlines()]), text_argument
    first_line, _, rest = content.partition("\n")
    return numbers([*given, first_line]), _without_line_end(rest)


def text(argument: str) -> str:
    """Return the text that was given, or for `-` what stands on standard input."""
    return argument if argument != "-" else _without_line_end(_standard_input("--text"))


def _standard_input(option: str) -> str:
    try:
        content: str = typer.get_text_stream("stdin", "utf-8", "strict").read()
    except UnicodeDecodeError:
        msg = f"{option}: standard input is not UTF-8"
        raise typer.BadParameter(msg) from None
    return content


def _without_line_end(content: str) -> str:
    return content.removesuffix("\n").removesuffix("\r")


def name_value_pairs(arguments: Sequence[str] | None, option: str) -> dict[str, str]:
    """Read arguments of the form `NAME=VALUE`; of a name that is repeated the last value counts."""
    values = {}
    for argument in arguments or ():
        name, equals, value = argument.partition("=")
        if not (equals and name.strip()):
            msg = f"{option}: write NAME=VALUE"
            raise typer.BadParameter(msg)
        values[name.strip()] = value
    return values


def gateway_options(arguments: Sequence[str] | None) -> Mapping[str, Any]:
    """Read the `NAME=VALUE` arguments of --option; the values `true` and `false` become bool."""
    booleans = {"true": True, "false": False}
    return {
        name: booleans.get(value, value)
        for name, value in name_value_pairs(arguments, "--option").items()
    }
