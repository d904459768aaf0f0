"""The tables of a configuration that set the rules for texts: `[texts]` and those in it.

A value is taken from the most specific table that sets it: the account's for the class, the
account's, the general one for the class, the general one; and else it is the default. So an account
may be stricter than the rest, or less strict.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from worker.domain.enums import MessageClass, TextLevel, TextRule
from worker.domain.texts import characters, signatures
from worker.domain.texts.rules import TextRules, default_levels


def _check_suffix(suffix: str) -> str:
    """Return the words in which texts end, or raise `ValueError` where no text may end in them."""
    if suffix != suffix.strip():
        msg = "begins or ends with a blank; remove it"
        raise ValueError(msg)
    if next(characters.unsendable(suffix), None) is not None:
        msg = "has a character that every text is refused for; write one that is seen"
        raise ValueError(msg)
    return suffix


def _bare_signature(signature: str) -> str:
    """Return a signature without its brackets; raise `ValueError` saying how it is written."""
    name = signature.removeprefix("【").removesuffix("】")
    if not signatures.is_name(name):
        msg = f"write a signature of 2 to {signatures.MAX_LENGTH} characters, as 【信使】"
        raise ValueError(msg)
    return name


def _check_extension(extension: str) -> str:
    """Return an extension, or raise `ValueError` where no account can have it."""
    if not re.fullmatch("[0-9]{1,20}", extension):
        msg = 'is no extension; write 1 to 20 digits, as "01" = "信使"'
        raise ValueError(msg)
    return extension


#: The words in which texts end; "" takes back those of a more general table.
Suffix = Annotated[str, StringConstraints(max_length=70), AfterValidator(_check_suffix)]
#: The signature to which each extension belongs.
ExtensionSignatures = Mapping[
    Annotated[str, AfterValidator(_check_extension)],
    Annotated[str, AfterValidator(_bare_signature)],
]


class RuleTable(BaseModel):
    """The levels of rules, and what some compare with; None takes that of a more general table."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    signature: TextLevel | None = None
    second_signature: TextLevel | None = None
    way_out: TextLevel | None = None
    #: The words in which a text ends, for the rule `way_out`.
    suffix: Suffix | None = None
    link: TextLevel | None = None
    broken_link: TextLevel | None = None
    phone_number: TextLevel | None = None
    emoji: TextLevel | None = None
    lookalike: TextLevel | None = None
    parts: TextLevel | None = None
    #: The most segments, for the rule `parts`.
    max_parts: Annotated[int, Field(ge=1)] | None = None
    extension: TextLevel | None = None


class TextTables(RuleTable):
    """The table `texts`, of all classes, and those of each class in it."""

    otp: RuleTable = RuleTable()
    notice: RuleTable = RuleTable()
    marketing: RuleTable = RuleTable()

    def over(self, general: "TextTables") -> "TextTables":
        """Return tables in which those of `general` say what these leave out."""
        classes = {
            message_class.value: _laid_over(
                [*self.tables_of(message_class), *general.tables_of(message_class)]
            )
            for message_class in MessageClass
        }
        return TextTables.model_validate(classes)

    def rules_by_class(
        self, added_signature: str = "", extensions: Mapping[str, str] = MappingProxyType({})
    ) -> dict[MessageClass, TextRules]:
        """Return the rules of each class, with what else of an account they compare a text with."""
        return {
            message_class: self._rules(message_class, added_signature, extensions)
            for message_class in MessageClass
        }

    def _rules(
        self, message_class: MessageClass, added_signature: str, extensions: Mapping[str, str]
    ) -> TextRules:
        table = _laid_over(self.tables_of(message_class))
        levels = {rule: table[rule.value] for rule in TextRule if rule.value in table}
        return TextRules(
            {**default_levels(message_class), **levels},
            table.get("max_parts"),
            table.get("suffix", ""),
            added_signature,
            extensions,
        )

    def tables_of(self, message_class: MessageClass) -> tuple[RuleTable, RuleTable]:
        """Return the tables that say something of a class, the most specific first."""
        table: RuleTable = getattr(self, message_class.value)
        return table, self


def _laid_over(tables: Iterable[RuleTable]) -> dict[str, Any]:
    """Return what the first of some tables says that sets a key, for each key that one sets."""
    values: dict[str, Any] = {}
    for table in tables:
        for key in RuleTable.model_fields:
            value = getattr(table, key)
            if value is not None:
                values.setdefault(key, value)
    return values
