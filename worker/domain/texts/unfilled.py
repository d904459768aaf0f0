"""Finds what looks as if it named a value and names none: placeholders as other platforms write.

Xinshi's own are `{name}`. Braces of any kind are certain. Between other marks a word is taken for a
name where the marks leave no doubt (`#code#`, `%code%`), where a value of that name is given and
the text names it nowhere in braces, or where it is a word that placeholders are commonly called.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator

from worker.domain import placeholders
from worker.domain.errors import Problem
from worker.domain.texts.common_names import COMMON_NAMES

#: Longer words between marks are sentences.
_WORD = r"[^\W\d]\w{0,19}"
#: Whatever may stand between braces that are not ours.
_INSIDE = r"[^{}｛｝\n]{0,40}?"
#: A placeholder of ours that nothing stands beside which could change what it means.
_SIMPLE = re.compile(r"(?<![{$＄\\])\{\w+\}(?!\})")
_ANY_MARK = re.compile(r"[{｛﹛❴#%@$＄\\[<《〈［＜「『〔〖＃％*~^|_]")
_BRACES = re.compile(
    rf"\{{{{2,4}}(?P<doubled>{_INSIDE})\}}{{2,4}}"
    r"|(?P<escaped>\{\{)"
    r"|(?P<dollar>[$＄\\])?\{(?P<named>[^{}\s][^{}]*)\}"
    rf"|[{{｛﹛❴](?P<other>{_INSIDE})[}}｝﹜❵]"
    r"|(?P<lone>\{)"
)
_CERTAIN = re.compile(
    rf"(?<![0-9A-Za-z])(?P<mark>##?|%%?|\$\$?)(?P<between>{_WORD})(?P=mark)"
    r"|(?<![0-9A-Za-z])@(?P<at>[A-Za-z_]\w{0,19})@"
    rf"|[$#%@][(\[] {{0,3}}(?P<prefixed>{_WORD}) {{0,3}}[)\]]"
    r"|(?<![0-9%])%(?:\d\$)?[sd@](?![A-Za-z])"
    r"|<(?P<tag>[%?])=?(?P<scripted>[^%?>\n]{1,40})(?P=tag)>"
)
_MARKED = re.compile(r"(?<!\w)[#@]\{[^{}\s][^{}]*\}")
_CLOSING = dict(zip("[<《〈【［＜「『〔〖", "]>》〉】］＞」』〕〗", strict=True))
_DOUBTFUL = re.compile(
    r"(?P<open>\[\[?|<<?|[《〈【［＜「『〔〖＃％~^|]|\*\*?|__)"
    r"[ 　]{0,3}(?P<word>[^\W\d][\w .-]{0,18}?)[ 　]{0,3}"
    r"(?P<close>\]\]?|>>?|[》〉】］＞」』〕〗＃％~^|]|\*\*?|__)"
)
_AFTER_DOLLAR = re.compile(r"(?<![0-9A-Za-z])[$＄](?P<word>\w{1,20})")
#: Marks that stand on both sides of a name where a value is meant, beside those above.
_PAIRED_MARKS = re.compile(r"(?P<open>[(（]|[&!:=+_-]{1,2})\Z")
_PAIRED_CLOSING = {"(": ")", "（": "）"}


def problems(text: str, given_names: Collection[str] = ()) -> list[Problem]:
    """Return a problem for each thing in a text that looks like a placeholder and is none.

    `given_names` are those of the values that there are: variables, or a file's columns.
    """
    if not _ANY_MARK.search(_SIMPLE.sub("", text) if "{" in text else text) and (
        not given_names or placeholders.names(text).issuperset(given_names)
    ):
        return []
    unnamed = {_folded(name) for name in given_names}
    unnamed -= {_folded(name) for name in placeholders.names(text)}
    faults = {**_between_marks(text, unnamed), **_in_braces(text)}
    return [
        Problem("text", f"holds {fault} at character {at + 1}; {advice}")
        for at, (fault, advice) in sorted(faults.items())
    ]


def warnings(text: str) -> Iterator[Problem]:
    """Yield a warning for each placeholder of ours with a mark of another platform's before it."""
    for match in _MARKED.finditer(text):
        what = f"has “{match[0][:24]}” at character {match.start() + 1}: the {match[0][0]} is sent"
        yield Problem("text", f"{what} before the value; take it out if none is meant")


#: What is wrong at a place of a text, and what to do.
_Fault = tuple[str, str]


def _in_braces(text: str) -> dict[int, _Fault]:
    """Return what is wrong with a text's braces, by position."""
    faults: dict[int, _Fault] = {}
    for match in _BRACES.finditer(text):
        inside = (match["doubled"] or match["other"] or "").strip()
        if inside:
            faults[match.start()] = _unfilled(match[0], inside, "for a brace as such {{")
        elif match["dollar"]:
            advice = f"with a blank before it if {match['dollar']} is meant"
            faults[match.start()] = _unfilled(match[0], match["named"], advice)
        elif not match["escaped"] and not match["named"]:
            advice = "write {name} for a value, {{ for a brace"
            faults[match.start()] = "a brace that names no value", advice
    return faults


def _between_marks(text: str, unnamed: Collection[str]) -> dict[int, _Fault]:
    """Return what stands between other marks and looks like a name, by position."""
    advice = "or other marks if no value is meant"
    faults: dict[int, _Fault] = {}
    for match in _DOUBTFUL.finditer(text):
        word = _folded(match["word"])
        is_common = word in COMMON_NAMES and match["open"] != "【"
        closing = "".join(_CLOSING.get(mark, mark) for mark in match["open"])
        if match["close"] == closing and (word in unnamed or is_common):
            faults[match.start()] = _unfilled(match[0], match["word"], advice)
    for match in _AFTER_DOLLAR.finditer(text):
        if name := _leading_name(_folded(match["word"]), unnamed):
            faults[match.start()] = _unfilled(f"${name}", name, advice)
    for name in (name for name in unnamed if len(name) > 1):
        for match in re.finditer(re.escape(name), text, re.IGNORECASE):
            before = _PAIRED_MARKS.search(text[max(0, match.start() - 2) : match.start()])
            mark = before["open"] if before else ""
            closing = _PAIRED_CLOSING.get(mark, mark)
            if mark and text.startswith(closing, match.end()):
                shown = f"{mark}{match[0]}{closing}"
                faults[match.start() - len(mark)] = _unfilled(shown, name, advice)
    for match in _CERTAIN.finditer(text):
        name = match["between"] or match["at"] or match["prefixed"] or match["scripted"]
        faults[match.start()] = _unfilled(match[0], name or "name", advice)
    return faults


def _leading_name(word: str, unnamed: Collection[str]) -> str | None:
    """Return the name that a word is, or that a word of Han, which has no end, begins with."""
    names = COMMON_NAMES.union(unnamed)
    if word in names:
        return word
    return next((name for name in names if name and _begins_with_name(word, name)), None)


def _begins_with_name(word: str, name: str) -> bool:
    """Tell whether a name stands at the beginning of a word, of which Han have no end."""
    if not word.startswith(name):
        return False
    return not name.isascii() or not word[len(name) :][:1].isascii()


def _unfilled(shown: str, name: str, advice: str) -> _Fault:
    """Return that what is shown would be sent as it stands."""
    placeholder = f"{{{name.strip()}}}" if len(name) <= 20 else "{name}"
    return f"“{shown[:24]}”, which names no value,", f"write {placeholder}, {advice}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()
