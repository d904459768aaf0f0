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
from worker.domain.texts.checked_text import CheckedText, Finding, is_plain
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
    by_rules = [
        (name, finding) for name, rules in accounts.items() for finding in checked.findings(rules)
    ]
    if by_rules:
        problems += _refused_by_all(by_rules, accounts)
        warnings += _warned_where_carried(by_rules, accounts)
    if message_class is MessageClass.MARKETING:
        warnings += ways_out.word_warnings(checked.text, reply_words or ReplyWords())
    return Findings(problems, warnings)


def refusals(text: str, rules: TextRules, extension: str | None = None) -> list[Problem]:
    """Return why an account does not carry a text, by those of its rules that refuse."""
    if not rules.refusing.looked_at:
        return []
    return [finding.problem for finding in CheckedText(text, extension).findings(rules.refusing)]


def _refused_by_all(
    by_rules: Sequence[tuple[str, Finding]], accounts: Mapping[str, TextRules]
) -> list[Problem]:
    """Return what the accounts refuse a text for; [] where one of them does not refuse it."""
    refusals = [
        (name, problem)
        for name, (rule, problem) in by_rules
        if accounts[name].levels[rule] is TextLevel.REFUSE
    ]
    is_refused = accounts.keys() == {name for name, _ in refusals}
    return _named(refusals, accounts.keys()) if is_refused else []


def _warned_where_carried(
    by_rules: Sequence[tuple[str, Finding]], accounts: Mapping[str, TextRules]
) -> list[Problem]:
    """Return what is doubtful at the accounts that do not refuse a text; at all if each does."""
    refusing = {
        name for name, (rule, _) in by_rules if accounts[name].levels[rule] is TextLevel.REFUSE
    }
    carriers = accounts.keys() - refusing or accounts.keys()
    return _named(
        [
            (name, problem)
            for name, (rule, problem) in by_rules
            if name in carriers and accounts[name].levels[rule] is TextLevel.WARN
        ],
        carriers,
    )


def _named(
    problem_by_account: Sequence[tuple[str, Problem]], accounts: Collection[str]
) -> list[Problem]:
    """Return the problems at some accounts, each once; one that not all have names its accounts."""
    names_by_problem: dict[Problem, set[str]] = {}
    for name, problem in problem_by_account:
        names_by_problem.setdefault(problem, set()).add(name)
    return [
        problem
        if len(names) == len(accounts)
        else Problem(problem.where, f"{problem.what} ({_listed(sorted(names))})")
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
