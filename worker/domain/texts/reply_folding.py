"""Brings replies, and the words that they are compared with, into one form."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from worker.domain.texts.reply_vocabulary import TRADITIONAL

SEPARATORS = re.compile(r"[\W_]+")
_REPEATED_LETTER = re.compile(r"([a-z])\1+")


def compact(text: str) -> str:
    """Return the letters and digits of a text, in the form in which words are compared."""
    return SEPARATORS.sub("", fold(text))


def _check_word(word: str) -> str:
    """Return a word of a configuration, or raise `ValueError` where nothing of it is compared."""
    if not compact(word):
        msg = "write a word with a letter, a digit or a Chinese character in it"
        raise ValueError(msg)
    return word


#: A word of a configuration by which replies are read.
ReplyWord = Annotated[str, AfterValidator(_check_word)]


def fold(text: str) -> str:
    """Return a text in one width, case and script; blanks and marks stay."""
    return unicodedata.normalize("NFKC", text).casefold().translate(TRADITIONAL)


def squeeze(text: str) -> str:
    """Return a text in which no Latin letter follows itself: people hold a key for too long."""
    return _REPEATED_LETTER.sub(r"\1", text)
