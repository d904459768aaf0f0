"""Lints a text before it is taken in: what is refused, and what a person should know.

A fault is refused where the text cannot be meant, or cannot be shown: a placeholder that names no
value, a character without a picture. Everything else is a warning and holds nothing up. The text
itself is never changed.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from worker.domain.enums import MessageClass
from worker.domain.errors import Problem
from worker.domain.texts import characters, links, lookalikes, signatures, unfilled, ways_out
from worker.domain.texts.reply_words import ReplyWords


class Findings(NamedTuple):
    """What is wrong with a text: problems refuse it, warnings do not."""

    problems: list[Problem]
    warnings: list[Problem]


#: Characters that are no fault and no mark of a placeholder: most texts are made of these alone.
_PLAIN = re.compile('[\u4e00-\u9fff -"&-)+-;=?A-Za-z\n，。：；！？、（）【】“”…—￥]*+')


def lint(
    text: str,
    sent_text: str | None = None,
    *,
    message_class: MessageClass = MessageClass.NOTICE,
    given_names: Collection[str] = (),
    added_signatures: Mapping[str, str] | None = None,
    reply_words: ReplyWords | None = None,
) -> Findings:
    """Return what is wrong with a text, each with its place and what to do. Never raises.

    `text` is as it was written. `sent_text` is what is sent, where the values are known; characters
    are counted there. `given_names` are the names of the values or columns that there are,
    `added_signatures` what each account that may carry it adds, "" for nothing.
    """
    sent_text = text if sent_text is None else sent_text
    problems = [] if _is_plain(text, given_names) else unfilled.problems(text, given_names)
    warnings = list(unfilled.warnings(text)) if "#{" in text or "@{" in text else []
    if not _PLAIN.fullmatch(sent_text):
        problems += characters.problems(sent_text)
        warnings += lookalikes.warnings(sent_text)
    warnings += [
        *signatures.warnings(sent_text, {"": ""} if added_signatures is None else added_signatures),
        *links.warnings(sent_text),
    ]
    if message_class is MessageClass.MARKETING:
        warnings += ways_out.warnings(sent_text, reply_words or ReplyWords())
    return Findings(problems, warnings)


def _is_plain(text: str, given_names: Collection[str]) -> bool:
    """Tell at one glance whether a text has a place for each value, and nothing like another."""
    for name in given_names:
        placeholder = f"{{{name}}}"
        if placeholder not in text:
            return False
        text = text.replace(placeholder, "")
    return _PLAIN.fullmatch(text) is not None
