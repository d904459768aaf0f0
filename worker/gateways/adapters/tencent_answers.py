"""Reads what Tencent Cloud SMS answers: `Response`, with rows or with an `Error`. Never raises.

HTTP is 200 in both cases. Only a row that says "Ok" of its number proves that it was taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from worker.domain.enums import Outcome
from worker.gateways.code_table import CodeMeaning, CodeTable
from worker.gateways.formats import json_reader, json_rows
from worker.gateways.formats.non_answers import http_failure, unreadable_result
from worker.gateways.formats.values import decode, read_word, tidy_words
from worker.gateways.results import Item, Page, Result

#: Codes that speak for those below them, as in `AuthFailure.NewCode` (382/52075).
FAMILIES = frozenset({"AuthFailure", "MissingParameter", "RequestLimitExceeded"})
#: Refusals of a read alone: a pull that was not switched on says nothing against sending.
READ_REFUSALS = frozenset(
    {"UnauthorizedOperation.RequestPermissionDeny", "AuthFailure.UnauthorizedOperation"}
)
#: What stands where a value or a key stood in the gateway's words.
_CUT = "…"
#: Shorter values are left: they tell nothing, and would cut words to pieces.
_MIN_CUT_LENGTH = 3


class AnswerReader:
    """Reads answers by an account's codes; `meanings` are the gateway's own."""

    def __init__(
        self, table: CodeTable, meanings: Mapping[str, CodeMeaning], secret_id: str
    ) -> None:
        self._table = table
        self._meanings = meanings
        self._secret_id = secret_id

    def rows(
        self,
        response: httpx.Response,
        name: str,
        values: Sequence[str] = (),
        *,
        reads: bool = False,
    ) -> list[Mapping[str, Any]] | Result:
        """Return the rows of an answer, or what it is read as where it has none.

        `name` is that of their list. `values` are those that were sent: they stay out of words.
        """
        failure = http_failure(self._table, response)
        if failure:
            return failure
        text = decode(response.content, "utf-8")
        try:
            answer = json_reader.parse(text)
        except ValueError:
            answer = None
        refusal = self._refusal(answer, name, text, values, reads=reads)
        if refusal is not None:
            return refusal
        rows = answer["Response"][name] or []
        return [row for row in rows if isinstance(row, dict)]

    def page(
        self,
        response: httpx.Response,
        name: str,
        key: str,
        read_row: Callable[[Mapping[str, Any]], Item | None],
    ) -> Page[Item]:
        """Read a page's rows, each with the field `key`; of a damaged page the whole ones."""
        failure = http_failure(self._table, response)
        if failure:
            return Page(refusal=failure)
        text = decode(response.content, "utf-8")
        page = json_rows.read(text, key, read_row)
        if page.envelope is None and page.items:
            return Page(tuple(page.items), damaged=page.damaged)
        refusal = self._refusal(page.envelope, name, text, reads=True)
        if refusal is not None:
            return Page(refusal=refusal)
        others = page.envelope["Response"][name] or []
        items = [*page.items]
        damaged = page.damaged
        for row in others:
            item = read_row(row) if isinstance(row, dict) else None
            if item is None:
                damaged += 1
            else:
                items.append(item)
        return Page(tuple(items), damaged=damaged)

    def number_result(self, row: Mapping[str, Any], values: Sequence[str]) -> tuple[str, Result]:
        """Return a number as a row of `SendStatusSet` writes it, and what the row says of it."""
        serial = read_word(row.get("SerialNo")) or None
        result = self._result(read_word(row.get("Code")), row.get("Message"), values)
        return read_word(row.get("PhoneNumber")), replace(result, gateway_id=serial)

    def unreadable(self, text: str, values: Sequence[str] = ()) -> Result:
        """Return the result of an answer that is not in the gateway's language."""
        return unreadable_result(self._table, self._without_sent(text, values))

    def _refusal(
        self, answer: Any, name: str, text: str, values: Sequence[str] = (), *, reads: bool
    ) -> Result | None:
        """Return what an answer is read as that has no list of rows; None where it has one.

        One with rows and an error contradicts itself: it is not readable.
        """
        content = answer.get("Response") if isinstance(answer, dict) else None
        if not isinstance(content, dict):
            return self.unreadable(text, values)
        has_rows = name in content and (content[name] is None or isinstance(content[name], list))
        error = content.get("Error")
        if error is None:
            return None if has_rows else self.unreadable(text, values)
        code = read_word(error.get("Code")) if isinstance(error, dict) else ""
        result = self._result(code, error.get("Message"), values) if code else None
        if result is None or content.get(name) or result.outcome is Outcome.ACCEPTED:
            return self.unreadable(text, values)
        if reads and code in READ_REFUSALS and result.outcome is Outcome.ACCOUNT_HELD:
            return replace(result, outcome=Outcome.DEFERRED, fault=None)
        return result

    def _result(self, code: str, message: object, values: Sequence[str]) -> Result:
        """Return what a code means; words of the gateway's own stand only beside a new code."""
        words = self._clean(message, values)
        result = self._table.read(code, words)
        family = code.partition(".")[0]
        known_code = family if not result.mapped and family in FAMILIES else code
        if known_code != code:
            result = replace(self._table.read(known_code, words), code=code)
        meaning = self._meanings.get(known_code)
        return replace(result, words=meaning.meaning if meaning else words)

    def _clean(self, message: object, values: Sequence[str]) -> str:
        """Return a gateway's words without what we sent: keys, values, whole numbers."""
        return tidy_words(self._without_sent(message, values) if isinstance(message, str) else "")

    def _without_sent(self, text: str, values: Sequence[str]) -> str:
        """Return a text with the key's name and the values cut out of it."""
        for sent in sorted((self._secret_id, *values), key=len, reverse=True):
            if len(sent) >= _MIN_CUT_LENGTH:
                text = text.replace(sent, _CUT)
        return text


def date(response: httpx.Response) -> datetime | None:
    """Return the moment that an answer's `Date` tells, aware; None without one."""
    try:
        moment = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError, TypeError):
        return None
    return moment if moment.tzinfo is not None else None
