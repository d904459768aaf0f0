"""What each rule finds in one text. What does not depend on the account is looked for once."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from worker.domain import segments
from worker.domain.enums import TextRule
from worker.domain.errors import Problem
from worker.domain.texts import emoji, links, lookalikes, phone_numbers, signatures, ways_out
from worker.domain.texts.rules import TextRules

#: Characters that are no fault and no mark of a placeholder: most texts are made of these alone.
_PLAIN = re.compile('[\u4e00-\u9fff -"&-)+-;=?A-Za-z\n，。：；！？、（）【】“”…—￥]*+')
#: The rules that find the same for every account.
_TEXT_CHECKS: Mapping[TextRule, Callable[[str], Iterable[Problem]]] = {
    TextRule.LINK: links.problems,
    TextRule.BROKEN_LINK: links.broken_link_problems,
    TextRule.PHONE_NUMBER: phone_numbers.problems,
    TextRule.EMOJI: emoji.problems,
    TextRule.LOOKALIKE: lookalikes.problems,
}


class Finding(NamedTuple):
    """What a rule found in a text."""

    rule: TextRule
    problem: Problem


class CheckedText:
    """A text as it is sent, under an extension or none, and what rules find in it."""

    __slots__ = ("_is_ordinary", "_problems_by_rule", "extension", "is_plain", "text")

    def __init__(self, text: str, extension: str | None = None) -> None:
        self.text = text
        self.extension = extension
        #: Whether it has no character that needs a look of its own.
        self.is_plain = is_plain(text)
        # Most texts are ordinary; they are looked at for each message.
        self._is_ordinary = (
            self.is_plain and signatures.is_well_signed(text) and not links.may_hold_link(text)
        )
        self._problems_by_rule: dict[TextRule, list[Problem]] = {}

    def findings(self, rules: TextRules) -> list[Finding]:
        """Return what the rules of an account find, in their order."""
        looked_at = rules.looked_at_in_ordinary if self._is_ordinary else rules.looked_at
        findings: list[Finding] = []
        for rule in looked_at:
            findings += [Finding(rule, problem) for problem in self._problems(rule, rules)]
        return findings

    def _problems(self, rule: TextRule, rules: TextRules) -> Iterable[Problem]:
        problems = self._problems_by_rule.get(rule)
        if problems is None:
            text_check = _TEXT_CHECKS.get(rule)
            if text_check is None:
                return _ACCOUNT_CHECKS[rule](self, rules)
            problems = self._problems_by_rule[rule] = list(text_check(self.text))
        return problems


def is_plain(text: str) -> bool:
    """Tell whether a text has only characters that are no fault and no mark of a placeholder."""
    return _PLAIN.fullmatch(text) is not None


def _parts_problems(checked: CheckedText, rules: TextRules) -> Iterator[Problem]:
    parts = segments.count(checked.text, rules.added_signature)
    if rules.max_parts is not None and parts > rules.max_parts:
        what = f"has {parts} segments, and max_parts is {rules.max_parts}"
        yield Problem("text", f"{what}; shorten it")


def _extension_problems(checked: CheckedText, rules: TextRules) -> Iterator[Problem]:
    owner = rules.extensions.get(checked.extension or "")
    if owner is None:
        return
    signature = signatures.signature_of(checked.text, rules.added_signature)
    if signature != owner:
        what = (
            f"belongs to 【{owner}】, and the text has {'another' if signature else 'no'} signature"
        )
        yield Problem("extension", f"{what}; use the one that belongs to it, or another extension")


#: The rules that find what depends on the account.
_ACCOUNT_CHECKS: Mapping[TextRule, Callable[[CheckedText, TextRules], Iterable[Problem]]] = {
    TextRule.SIGNATURE: lambda checked, rules: signatures.problems(
        checked.text, rules.added_signature
    ),
    TextRule.SECOND_SIGNATURE: lambda checked, rules: signatures.second_problems(
        checked.text, rules.added_signature
    ),
    TextRule.WAY_OUT: lambda checked, rules: ways_out.problems(checked.text, rules.suffix),
    TextRule.PARTS: _parts_problems,
    TextRule.EXTENSION: _extension_problems,
}
