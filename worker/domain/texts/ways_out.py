"""Finds texts without a way out, or with one that would not be understood."""

import re
from collections.abc import Iterator

from worker.domain.enums import ReplyMeaning
from worker.domain.errors import Problem
from worker.domain.texts.reply_words import ReplyWords

#: The ways out that most advertising has, and all others.
_USUAL_WAYS_OUT = ("退订", "拒收")
_OTHER_WAYS_OUT = re.compile(
    r"退訂|退阅|取消订阅|[Uu]nsubscribe|UNSUBSCRIBE|[Oo]pt.?out|退回[A-Za-z]|\bSTOP\b"
    r"|(?<![A-Za-z])(?:[TtRrNn]|TD|td)退(?![货款票房税])|[退拒](?:[TtRrNn]|TD|td)(?![A-Za-z恤])"
)
_MARKS = r"[\s“”\"'‘’「」【】\[\]()（）:：]{0,6}"
#: The word that a footer says to answer with: `回T退订`, `拒收请回复R`, `TD退订`.
_ASKED_WORD = re.compile(
    rf"(?:回复?|发送?){_MARKS}([A-Za-z0-9]{{1,8}}){_MARKS}(?:退|拒|取消)"
    rf"|(?:退订|退訂|拒收|退阅){_MARKS}(?:请)?(?:回复?|发送?){_MARKS}([A-Za-z0-9]{{1,8}})"
    r"|(?<![A-Za-z0-9])([A-Za-z]{1,4})(?:退订|退訂|拒收)"
)


def problems(text: str, suffix: str = "") -> list[Problem]:
    """Return that a text says no way out; with a suffix, that it does not end in exactly that."""
    if suffix and not text.endswith(suffix):
        what = f"does not end in “{suffix}”, the suffix that is set"
        return [Problem("text", f"{what}; write it at the very end")]
    if suffix or _has_way_out(text):
        return []
    what = "says no way out; end it with 回T退订, or as your carrier asks"
    return [Problem("text", what)]


def word_warnings(text: str, reply_words: ReplyWords) -> Iterator[Problem]:
    """Yield a warning for each word that a way out asks for and that `opt_out_words` lack."""
    for match in _ASKED_WORD.finditer(text):
        word = next(filter(None, match.groups()))
        if reply_words.meaning(word) is ReplyMeaning.OUT:
            continue
        if not _has_way_out(text):
            return
        what = f"says to answer {word}, which is none of opt_out_words"
        yield Problem("text", f"{what}; add it there, or such answers opt nobody out")


def _has_way_out(text: str) -> bool:
    return any(way in text for way in _USUAL_WAYS_OUT) or bool(_OTHER_WAYS_OUT.search(text))
