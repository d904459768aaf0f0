"""Lints a text before it is taken in: what is refused, and what a person should know.

A fault is refused everywhere where the text cannot be meant, or cannot be shown: a placeholder that
names no value, a character without a picture. What else is found, by a rule, is a warning, or is
refused at an account that says so (`worker.domain.texts.rules`). The text itself is never changed.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from worker.domain.enums import MessageClass, TextLevel
from worker.domain.errors import Problem
from worker.domain.texts import characters, unfilled, ways_out
from worker.domain.texts.checked_text import CheckedText, is_plain
from worker.domain.texts.reply_words import ReplyWords
from worker.domain.texts.rules import TextRules, default_rules

#: How many accounts a finding names.
MAX_NAMED_ACCOUNTS = 3


class Findings(NamedTuple):
    """What is wrong with a text: problems refuse it, warnings do not."""

    problems: list[Problem]
    warnings: list[Problem]


def lint(
    text: str,
    sent_text: str | None = None,
    *,
    message_class: MessageClass = MessageClass.NOTICE,
    given_names: Collection[str] = (),
    accounts: Mapping[str, TextRules] | None = None,
    extension: str | None = None,
    reply_words: ReplyWords | None = None,
) -> Findings:
    """Return what is wrong with a text, each with its place and what to do. Never raises.

    `text` is as it was written. `sent_text` is what is sent, where the values are known; characters
    are counted there. `given_names` are the names of the values or columns that there are,
    `accounts` the rules of each account that may carry it, under `extension`: without it those that
    hold by default. A text is refused by rules if each of the accounts refuses it; where one does
    not, the warnings are those of the accounts that are left.
    """
    checked = CheckedText(text if sent_text is None else sent_text, extension)
    needs_look = given_names or not checked.is_plain or text != checked.text
    problems = []
    if needs_look and not _is_plain(text, given_names):
        problems = unfilled.problems(text, given_names)
    warnings = list(unfilled.warnings(text)) if "#{" in text or "@{" in text else []
    if not checked.is_plain:
        problems += characters.problems(checked.text)
    if accounts is None:
        accounts = {"": default_rules(message_class)}
    by_rules = _rule_findings(checked, accounts)
    problems += by_rules.problems
    warnings += by_rules.warnings
    if message_class is MessageClass.MARKETING:
        warnings += ways_out.word_warnings(checked.text, reply_words or ReplyWords())
    return Findings(problems, warnings)


def refusals(text: str, rules: TextRules, extension: str | None = None) -> list[Problem]:
    """Return why an account does not carry a text, by those of its rules that refuse."""
    if not rules.refusing.looked_at:
        return []
    return [finding.problem for finding in CheckedText(text, extension).findings(rules.refusing)]


def _rule_findings(checked: CheckedText, accounts: Mapping[str, TextRules]) -> Findings:
    """Return what the rules of the accounts find together: refused only if each refuses it."""
    findings = [
        (name, finding) for name, rules in accounts.items() for finding in checked.findings(rules)
    ]
    if not findings:
        return Findings([], [])
    refusals_by_account: dict[str, list[Problem]] = {}
    warnings_by_account: dict[str, list[Problem]] = {}
    for name, (rule, problem) in findings:
        is_refused = accounts[name].levels[rule] is TextLevel.REFUSE
        by_account = refusals_by_account if is_refused else warnings_by_account
        by_account.setdefault(name, []).append(problem)
    carriers = accounts.keys() - refusals_by_account.keys()
    problems = [] if carriers else _named(refusals_by_account, accounts.keys())
    return Findings(problems, _named(warnings_by_account, carriers or accounts.keys()))


def _named(
    problems_by_account: Mapping[str, Sequence[Problem]], accounts: Collection[str]
) -> list[Problem]:
    """Return the problems at some accounts, each once; one that not all have names its accounts."""
    names_by_problem: dict[Problem, list[str]] = {}
    for name, problems in problems_by_account.items():
        if name in accounts:
            for problem in problems:
                names_by_problem.setdefault(problem, []).append(name)
    return [
        problem
        if len(names) == len(accounts)
        else Problem(problem.where, f"{problem.what} ({_listed(names)})")
        for problem, names in names_by_problem.items()
    ]


def _listed(names: Sequence[str]) -> str:
    """Write the names of accounts, and of many of them the first."""
    others = " and others" if len(names) > MAX_NAMED_ACCOUNTS else ""
    label = "account" if len(names) == 1 else "accounts"
    return f"{label} {', '.join(names[:MAX_NAMED_ACCOUNTS])}{others}"


def _is_plain(text: str, given_names: Collection[str]) -> bool:
    """Tell at one glance whether a text has a place for each value, and nothing like another."""
    for name in given_names:
        placeholder = f"{{{name}}}"
        if placeholder not in text:
            return False
        text = text.replace(placeholder, "")
    return is_plain(text)
