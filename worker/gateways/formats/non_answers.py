"""Reads answers that say nothing by themselves: HTTP errors and bodies that cannot be read.

Both go through the account's own codes, so that an operator can map what a reseller's front end
says (`"HTTP 403" = "account_held"`, `"/维护/" = …`); unmapped they are `unknown`.
"""

import re
from dataclasses import replace
from email.utils import parsedate_to_datetime

import httpx

from worker.domain.enums import Advice, Fault, Outcome
from worker.gateways.code_table import CodeTable
from worker.gateways.formats import foreign_answers
from worker.gateways.formats.values import decode, tidy_words
from worker.gateways.results import Result

#: The code of an answer that is not in the gateway's language.
UNREADABLE = "unreadable"
#: What no gateway answers: redirects, a proxy's and a portal's refusals (RFC 6585, section 6).
_FOREIGN_STATUSES = {*range(300, 400), 407, 511}
_SECONDS = re.compile(r"\d{1,7}", re.ASCII)


def http_failure(table: CodeTable, response: httpx.Response) -> Result | None:
    """Return the result of an answer outside of 2xx, or None when the body may speak.

    The code is `HTTP 502`. Only 429 is read without a mapping: it says "too many requests" (RFC
    6585, section 4), which is no doubt about what became of the messages. How long to leave the
    gateway alone is taken from `Retry-After` where the answer is read as throttled.
    """
    if response.is_success:
        return None
    result = table.read(f"HTTP {response.status_code}", page_excerpt(response))
    if not result.mapped and response.status_code in _FOREIGN_STATUSES:
        text = decode(response.content, "utf-8", "gbk")
        return _foreign(result, foreign_answers.describe_status(response, text))
    if response.status_code == 429 and not result.mapped:
        result = replace(result, outcome=Outcome.THROTTLED, advice=Advice.SLOW_DOWN, mapped=True)
    if result.outcome is Outcome.THROTTLED:
        return replace(result, retry_after=retry_after_seconds(response))
    return result


def retry_after_seconds(response: httpx.Response) -> float | None:
    """Return the seconds in `Retry-After`; a date there is counted from the answer's `Date`.

    RFC 9110, section 10.2.3. None when there is none, or it cannot be read.
    """
    header = response.headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(header):
        return float(header)
    try:
        until = parsedate_to_datetime(header)
        seconds = (until - parsedate_to_datetime(response.headers["Date"])).total_seconds()
    except (ValueError, TypeError, KeyError):
        return None
    return max(0.0, seconds)


def unreadable_result(table: CodeTable, text: str) -> Result:
    """Return the result of a 2xx answer that is not in the gateway's language."""
    result = table.read(UNREADABLE, tidy_words(text))
    return result if result.mapped else _foreign(result, foreign_answers.describe_page(text))


def _foreign(result: Result, description: str) -> Result:
    """Return a result that no table has, in words of ours where something else had answered."""
    return replace(result, words=description, fault=Fault.NETWORK) if description else result


def page_excerpt(response: httpx.Response) -> str:
    """Return the beginning of a response's body on one line, for people."""
    return tidy_words(decode(response.content, "utf-8", "gbk"))
