"""Say what is wrong with a template's key, body and limits, and with a signature's name. Pure."""

import re
from collections.abc import Mapping

from worker.domain import placeholders
from worker.domain.enums import MessageClass, TextRule
from worker.domain.errors import Problem
from worker.domain.limit_syntax import limit_problems
from worker.domain.renderings import ValueLimits
from worker.domain.texts import characters, signatures
from worker.domain.texts.findings import Findings, lint
from worker.domain.texts.reply_words import ReplyWords
from worker.domain.texts.rules import default_rules

MAX_KEY_LENGTH = 64
MAX_NAME_LENGTH = 32
#: Characters of a body: more than any handset shows as one message.
MAX_BODY_LENGTH = 1000
MAX_VENDOR_ID_LENGTH = 64
#: The most values that a body may have: no vendor takes more.
MAX_VALUES = 32
#: The form of a key.
KEY_PATTERN = rf"^[A-Za-z0-9._-]{{1,{MAX_KEY_LENGTH}}}$"
_NAME = re.compile(rf"\w[\w.-]{{0,{MAX_NAME_LENGTH - 1}}}")


def key_problems(key: str) -> list[Problem]:
    """Return what is wrong with a template's key."""
    if re.fullmatch(KEY_PATTERN, key):
        return []
    what = f"may have letters a to z, digits and . _ -, {MAX_KEY_LENGTH} at the most"
    return [Problem("template", what)]


def check_body(
    body: str,
    limits: Mapping[str, ValueLimits],
    message_class: MessageClass,
    reply_words: ReplyWords | None = None,
) -> Findings:
    """Return what is wrong with a template's body and the limits of its values.

    The rules are those of any text (`worker.domain.texts.findings`), and those of a template: no
    signature in it, values whose names can be written down.
    """
    names = placeholders.ordered_names(body)
    problems = _body_problems(body) + _name_problems(names)
    findings = lint(
        body,
        message_class=message_class,
        given_names=[name for name in limits if name in names],
        accounts={"": default_rules(message_class).without(TextRule.SIGNATURE)},
        reply_words=reply_words,
    )
    problems += [Problem("body", problem.what) for problem in findings.problems]
    have = f"the body has {', '.join(names) or 'no values'}"
    for name, value_limits in limits.items():
        if name not in names:
            problems.append(Problem(f"limits.{name}", f"there is no such value; {have}"))
        problems += limit_problems(f"limits.{name}", value_limits)
    return Findings(problems, [Problem("body", warning.what) for warning in findings.warnings])


def _body_problems(body: str) -> list[Problem]:
    if not body.strip():
        return [Problem("body", "is empty")]
    problems = []
    if len(body) > MAX_BODY_LENGTH:
        what = f"has {len(body)} characters, and {MAX_BODY_LENGTH} are allowed"
        problems.append(Problem("body", what))
    if body != body.strip():
        problems.append(Problem("body", "begins or ends with a blank or a line feed; take it out"))
    if "【" in body or "】" in body:
        what = "holds 【 or 】: the signature is the account's, and anything else in these brackets"
        advice = "passes for one; leave it out, and name it when you bind the template"
        problems.append(Problem("body", f"{what} {advice}"))
    return problems


def _name_problems(names: list[str]) -> list[Problem]:
    form = f"letters, digits and . _ -, {MAX_NAME_LENGTH} at the most"
    problems = [
        Problem("body", f"has a value called {name[:40]!r}; a name has {form}")
        for name in names
        if not _NAME.fullmatch(name)
    ]
    if len(names) > MAX_VALUES:
        problems.append(Problem("body", f"has {len(names)} values, and {MAX_VALUES} are allowed"))
    return problems


def bare_name(signature: str) -> str:
    """Return a signature's name without blanks around it and without 【】."""
    name = signature.strip()
    if name.startswith("【") and name.endswith("】"):
        name = name[1:-1].strip()
    return name


def signature_problems(name: str) -> list[Problem]:
    """Return what is wrong with a signature's name, which is given without 【】."""
    if not 2 <= len(name) <= signatures.MAX_LENGTH:
        what = f"has {len(name)} characters; a signature has 2 to {signatures.MAX_LENGTH}"
        return [Problem("name", what)]
    if re.search(r"[【】{}\n\r\t]", name):
        return [Problem("name", "may hold no bracket 【】, no brace and no line feed")]
    return [Problem("name", problem.what) for problem in characters.problems(name)]


def vendor_id_problems(vendor_id: str | None) -> list[Problem]:
    """Return what is wrong with the id that a vendor has for a template or a signature."""
    if vendor_id is None:
        return []
    if not re.fullmatch(rf"[!-~]{{1,{MAX_VENDOR_ID_LENGTH}}}", vendor_id):
        what = f"is 1 to {MAX_VENDOR_ID_LENGTH} ASCII characters without a blank, as it is shown"
        return [Problem("vendor_id", f"{what} on the vendor's site")]
    return []
