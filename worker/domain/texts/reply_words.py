"""Reads what a reply asks for: no more advertising, advertising again, or perhaps one of these.

People answer `回T退订` with the footer's own words, with quotes, brackets, blanks, full-width or
traditional characters, twice. All of it is forgiven; a word within a sentence is not taken for an
answer: `T恤有货吗` is a question.
"""

from collections.abc import Collection, Iterable

from worker.domain.enums import ReplyMeaning
from worker.domain.texts.reply_folding import SEPARATORS, compact, fold, squeeze
from worker.domain.texts.reply_vocabulary import (
    FILLERS,
    NEAR,
    NEAR_IN_LATIN,
    OPT_IN_WORDS,
    OPT_OUT_WORDS,
)

#: A longer reply is no answer, though it may be near to one.
MAX_ANSWER_LENGTH = 60
#: What stands behind so many characters of a reply is not looked at.
MAX_READ_LENGTH = 500


class ReplyWords:
    """The words of a configuration, by which replies are read."""

    def __init__(
        self,
        opt_out_words: Iterable[str] = OPT_OUT_WORDS,
        opt_in_words: Iterable[str] = OPT_IN_WORDS,
    ) -> None:
        self._tokens: dict[str, ReplyMeaning | None] = {
            **dict.fromkeys(map(compact, FILLERS)),
            **dict.fromkeys(map(compact, opt_in_words), ReplyMeaning.IN),
            **dict.fromkeys(map(compact, opt_out_words), ReplyMeaning.OUT),
        }
        self._characters = frozenset("".join(self._tokens))
        self._squeezed = {squeeze(token): meaning for token, meaning in self._tokens.items()}

    def meaning(self, text: str) -> ReplyMeaning | None:
        """Return what a reply asks for; None when it asks for nothing of this kind."""
        known = self._tokens.get(text.casefold())
        if known is not None:
            return known
        folded = fold(text[:MAX_READ_LENGTH])
        whole = SEPARATORS.sub("", folded)
        answer = self._answer(whole)
        if answer is not None:
            return answer
        if NEAR.search(whole) or NEAR_IN_LATIN.search(folded) or self._stands_apart(folded):
            return ReplyMeaning.NEAR
        return None

    def _answer(self, whole: str) -> ReplyMeaning | None:
        """Return what words and fillers alone ask for, near where they ask for both."""
        if len(whole) > MAX_ANSWER_LENGTH or not self._characters.issuperset(whole):
            return None
        words = _cut(whole, self._tokens) or _cut(squeeze(whole), self._squeezed)
        meanings = {word: self._squeezed[squeeze(word)] for word in words}
        asked = set(meanings.values()) - {None}
        # Letters that are words alone (T, R, N) make other words together.
        latin = {word for word, meaning in meanings.items() if meaning and word.isascii()}
        if not asked or len(latin) > 1:
            return None
        return asked.pop() if len(asked) == 1 else ReplyMeaning.NEAR

    def _stands_apart(self, folded: str) -> bool:
        """Tell whether a part between blanks or marks is an answer, and the rest is something else.

        A single letter is no such part in a sentence of Latin words.
        """
        parts = [part for part in SEPARATORS.split(folded) if part]
        others_are_latin = sum(part.isascii() for part in parts) > 1
        return any(
            self._answer(part) is ReplyMeaning.OUT and (len(part) > 1 or not others_are_latin)
            for part in parts
        )


def _cut(whole: str, tokens: Collection[str]) -> list[str]:
    """Return the fewest tokens that a text is made of; [] when it is made of others too."""
    longest = max(map(len, tokens))
    best: dict[int, list[str]] = {0: []}
    for end in range(1, len(whole) + 1):
        starts = [start for start in range(max(0, end - longest), end) if start in best]
        if not starts:
            return []
        cuts = [[*best[start], whole[start:end]] for start in starts if whole[start:end] in tokens]
        if cuts:
            best[end] = min(cuts, key=len)
    return best.get(len(whole), [])
