"""Reads raw pages and pushes of the inbox by their gateway's readers, and takes in what they hold.

Every way in ends here: pages that were just collected, pages that a crash left unread, pushes, and
pages that are read again after a fix of their reader.
"""

from collections.abc import Sequence
from dataclasses import replace

import httpx
from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.domain.enums import Outcome
from worker.feedback import inbound, reports
from worker.gateways import reading, storable_fields
from worker.gateways.base import Account
from worker.gateways.formats.non_answers import UNREADABLE
from worker.gateways.page_contents import CUT_HEADER, PageContents, cut_reason
from worker.gateways.results import Result
from worker.store.feedback.inbox import PUSH_KIND, StoredPage

#: What `kind` says of a page of reports; one of inbound messages is "inbound".
REPORTS = "reports"
#: The longest header of a page that is kept, in characters.
MAX_HEADER = 200


def read_page(account: Account, kind: str, response: httpx.Response) -> PageContents:
    """Return what a gateway's answer holds: reports or inbound messages, by `kind`.

    A page of which only the start was kept has a damaged row at least. What looks like a refusal
    there may be the start of anything else: it says nothing of the account.
    """
    read = reading.read_reports if kind == REPORTS else reading.read_inbound
    contents = read(account.gateway, response)
    cut = cut_reason(response)
    if not cut:
        return contents
    refusal = _cut_refusal(contents, cut) if response.is_success else contents.refusal
    return replace(contents, damaged=max(contents.damaged, 1), refusal=refusal, cut=cut)


def _cut_refusal(contents: PageContents, cut: str) -> Result | None:
    """Return what is noted of a cut page: nothing where it has rows, else that it says nothing."""
    if contents.rows:
        return None
    return Result(Outcome.UNKNOWN, UNREADABLE, f"cut off: {cut}", mapped=False)


def kept_headers(response: httpx.Response) -> dict[str, str]:
    """Return the headers that are stored with a raw page: its type, and why it was cut."""
    content_type = response.headers.get("content-type", "")
    headers = {"content-type": storable_fields.cut(content_type, MAX_HEADER)}
    if cut := cut_reason(response):
        headers[CUT_HEADER] = storable_fields.cut(cut, MAX_HEADER)
    return headers


def read_stored(account: Account, page: StoredPage) -> PageContents:
    """Return what a page or push of the inbox holds."""
    if page.kind != PUSH_KIND:
        return read_page(account, page.kind, stored_response(page))
    contents = reading.read_push(account.gateway, stored_request(page))
    # The header is ours: of a push's own only the type is stored.
    cut = page.headers.get(CUT_HEADER, "")
    return replace(contents, damaged=max(contents.damaged, 1), cut=cut) if cut else contents


def stored_response(page: StoredPage) -> httpx.Response:
    """Return the gateway's answer that a page of the inbox was."""
    return httpx.Response(page.status or 200, headers=page.headers, content=page.body)


def stored_request(page: StoredPage) -> httpx.Request:
    """Return the gateway's request that a push of the inbox was, as its reader takes it."""
    method, _, query = (page.target or "POST").partition(" ?")
    url = httpx.URL("http://push/", query=query.encode("ascii"))
    return httpx.Request(method, url, headers=page.headers, content=page.body)


def take(
    connection: Connection,
    settings: Settings,
    account: str,
    contents: Sequence[tuple[int, PageContents]],
) -> int:
    """Store and apply what pages of an account hold; return how many rows were new.

    Each comes with its page's id. A row that was stored before is left as it is.
    """
    accounts = settings.accounts_sharing_login(account)
    new_rows = reports.take_pages(
        connection,
        accounts,
        [(inbox_id, report) for inbox_id, page in contents for report in page.reports],
    )
    new_rows += inbound.take_pages(
        connection,
        settings,
        account,
        [(inbox_id, reply) for inbox_id, page in contents for reply in page.inbound],
    )
    return new_rows
