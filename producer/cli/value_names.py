"""Give the options and arguments of a help page names for their values; a flag has none."""

from typing import Any

from typer.core import TyperCommand, TyperGroup

#: What the help page calls a value of a type.
_VALUE_NAMES = {str: "TEXT", int: "N", float: "N"}
#: A longer list of choices is moved from the column of values to the text.
_MAX_CHOICES_LENGTH = 24


class _NamesValues:
    """A command or group whose options say in a word what they take."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, each option with a name for its value."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if param.param_type_name == "argument":
                # Its name says what it is.
                param.display_type_rich = _no_type
            elif param.metavar is None:
                _name_value(param)
        return params


class NamedValuesCommand(_NamesValues, TyperCommand):
    """A command whose options say in a word what they take."""


class NamedValuesGroup(_NamesValues, TyperGroup):
    """A group whose options say in a word what they take."""


def _no_type(ctx: Any) -> str:  # noqa: ARG001 - typer's
    return ""


def _name_value(option: Any) -> None:
    choices = [
        str(getattr(choice, "value", choice)) for choice in option.type_descriptor.choices or ()
    ]
    if option.is_flag:
        option.metavar = ""
    elif len("|".join(choices)) > _MAX_CHOICES_LENGTH:
        option.metavar = option.name.upper()
        option.help = (
            f"{option.help or ''} It is {', '.join(choices[:-1])} or {choices[-1]}.".strip()
        )
    elif choices:
        option.metavar = "|".join(choices)
    else:
        option.metavar = _VALUE_NAMES.get(option.type_descriptor.annotation)
