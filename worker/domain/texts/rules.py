"""The rules that hold for a text at one account, and the levels at which they do by default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Self

from worker.domain.enums import MessageClass, TextLevel, TextRule

#: The level of each rule where a configuration sets none. None of them refuses.
DEFAULT_LEVELS: Mapping[TextRule, TextLevel] = MappingProxyType(
    {
        TextRule.SIGNATURE: TextLevel.WARN,
        TextRule.SECOND_SIGNATURE: TextLevel.WARN,
        TextRule.WAY_OUT: TextLevel.OFF,
        TextRule.LINK: TextLevel.OFF,
        TextRule.BROKEN_LINK: TextLevel.WARN,
        TextRule.PHONE_NUMBER: TextLevel.OFF,
        TextRule.EMOJI: TextLevel.OFF,
        TextRule.LOOKALIKE: TextLevel.WARN,
        TextRule.PARTS: TextLevel.WARN,
        TextRule.EXTENSION: TextLevel.WARN,
    }
)
#: The same for advertising.
MARKETING_LEVELS: Mapping[TextRule, TextLevel] = MappingProxyType(
    {**DEFAULT_LEVELS, TextRule.WAY_OUT: TextLevel.WARN}
)


def default_levels(message_class: MessageClass) -> Mapping[TextRule, TextLevel]:
    """Return the level of each rule for a class for which nothing is set."""
    return MARKETING_LEVELS if message_class is MessageClass.MARKETING else DEFAULT_LEVELS


@dataclass(frozen=True)
class TextRules:
    """The rules for texts of one class at one account, with what they compare a text with."""

    levels: Mapping[TextRule, TextLevel]
    #: The most segments; None is no limit, and `parts` finds nothing.
    max_parts: int | None = None
    #: The words in which a text ends by the rule `way_out`; "" leaves it to the writer.
    suffix: str = ""
    #: What the platform adds to each text, as 【name】.
    added_signature: str = ""
    #: The signature, without brackets, to which each extension belongs.
    extensions: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def looked_at(self) -> tuple[TextRule, ...]:
        """The rules that may find something: not off, and with a value where they need one."""
        idle = {
            TextRule.PARTS: self.max_parts is None,
            TextRule.EXTENSION: not self.extensions,
        }
        return tuple(
            rule
            for rule in TextRule
            if self.levels[rule] is not TextLevel.OFF and not idle.get(rule, False)
        )

    @cached_property
    def looked_at_in_ordinary(self) -> tuple[TextRule, ...]:
        """Those of them that may find something in an ordinary text, as most are.

        It is well signed, of plain characters, and without a mark of a link.
        """
        idle = {TextRule.EMOJI, TextRule.LOOKALIKE, TextRule.LINK, TextRule.BROKEN_LINK}
        if not self.added_signature:
            idle |= {TextRule.SIGNATURE, TextRule.SECOND_SIGNATURE}
        return tuple(rule for rule in self.looked_at if rule not in idle)

    @cached_property
    def refusing(self) -> "TextRules":
        """The same with all rules off but those that refuse."""
        return self.without(
            *(rule for rule in self.looked_at if self.levels[rule] is not TextLevel.REFUSE)
        )

    def without(self, *rules: TextRule) -> Self:
        """Return the same with some rules off."""
        return replace(self, levels={**self.levels, **dict.fromkeys(rules, TextLevel.OFF)})


def shared_rules(
    of_accounts: Sequence[Mapping[MessageClass, TextRules]],
) -> dict[MessageClass, TextRules]:
    """Return the rules of each class for which all of some accounts have the same."""
    first, *others = of_accounts
    return {
        message_class: rules
        for message_class, rules in first.items()
        if all(other[message_class] == rules for other in others)
    }


def default_rules(message_class: MessageClass) -> TextRules:
    """Return the rules that hold for a class at an account for which nothing is set."""
    return TextRules(default_levels(message_class))
