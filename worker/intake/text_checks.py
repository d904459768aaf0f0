"""Lints the content of a request, with the accounts that may carry it and the words of replies."""

from collections.abc import Collection

from worker.config.settings import Settings
from worker.domain import placeholders
from worker.domain.enums import MessageClass
from worker.domain.errors import Problem
from worker.domain.texts import characters, findings
from worker.domain.texts.findings import Findings
from worker.gateways.base import Content
from worker.policy import eligibility


def lint_content(
    settings: Settings,
    written_text: str,
    content: Content,
    message_class: MessageClass,
    account: str | None,
    given_names: Collection[str] = (),
) -> Findings:
    """Return what is wrong with a content whose text was written as `written_text`.

    `given_names` are the names of its values. Of a gateway's template, whose text is not ours, only
    the characters are looked at.
    """
    if content.template:
        return Findings(_template_problems(content), [])
    shared = settings.shared_text_rules.get(message_class)
    if shared is not None:
        accounts = {"": shared}
    else:
        candidates = eligibility.candidates(settings.accounts.values(), message_class, account)
        accounts = {
            candidate.name: candidate.settings.text_rules[message_class] for candidate in candidates
        }
    return findings.lint(
        written_text,
        content.text,
        message_class=message_class,
        given_names=given_names,
        accounts=accounts,
        extension=content.extension,
        reply_words=settings.reply_words,
    )


def unused_value_warnings(written_text: str, given_names: Collection[str]) -> list[Problem]:
    """Return a warning for each value that a text names nowhere."""
    if all(f"{{{name}}}" in written_text for name in given_names):
        return []
    unused = sorted(set(given_names) - placeholders.names(written_text))
    return [Problem(f"variables.{name}", "the text names it nowhere") for name in unused]


def _template_problems(content: Content) -> list[Problem]:
    values = {f"variables.{name}": value for name, value in content.variables.items()}
    return [
        Problem(where, problem.what)
        for where, value in {"text": content.text, **values}.items()
        for problem in characters.problems(value)
    ]
