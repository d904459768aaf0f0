"""Reads raw pages and pushes of the inbox by their gateway's readers, and takes in what they hold.

Every way in ends here: pages that were just collected, pages that a crash left unread, pushes, and
pages that are read again after a fix of their reader.
"""

from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy import Connection, Row

from worker.config.settings import Settings
from worker.feedback import inbound, reports
from worker.gateways.base import Account
from worker.gateways.results import Page, PushContents
from worker.store.feedback.inbox import PUSH_KIND

#: What `kind` says of a page of reports; one of inbound messages is "inbound".
REPORTS = "reports"


def read_page(account: Account, kind: str, response: httpx.Response) -> Page[Any]:
    """Return what a gateway's answer holds: reports or inbound messages, by `kind`."""
    if kind == REPORTS:
        return account.gateway.read_reports(response)
    return account.gateway.read_inbound(response)


def page_contents(kind: str, page: Page[Any]) -> PushContents:
    """Return the contents of a page in the form in which a push has them."""
    if kind == REPORTS:
        return PushContents(reports=page.items, damaged=page.damaged)
    return PushContents(inbound=page.items, damaged=page.damaged)


def read_stored(account: Account, row: Row[Any]) -> PushContents:
    """Return what a page or push of the inbox holds; a page's refusal is left out."""
    if row.kind == PUSH_KIND:
        return account.gateway.read_push(stored_request(row))
    return page_contents(row.kind, read_page(account, row.kind, stored_response(row)))


def stored_response(row: Row[Any]) -> httpx.Response:
    """Return the gateway's answer that a page of the inbox was."""
    return httpx.Response(row.status or 200, headers=row.headers or {}, content=row.body)


def stored_request(row: Row[Any]) -> httpx.Request:
    """Return the gateway's request that a push of the inbox was, as its reader takes it."""
    method, _, query = (row.target or "POST").partition(" ?")
    url = httpx.URL("http://push/", query=query.encode("ascii"))
    return httpx.Request(method, url, headers=row.headers or {}, content=bytes(row.body))


def take(
    connection: Connection,
    settings: Settings,
    account: str,
    contents: Sequence[tuple[int, PushContents]],
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
