"""Draws pages from templates, whole or one block of them, with strict security headers.

A page holds no script or style of its own and loads nothing from another site: the policy below
allows only the files in `static/`.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from starlette.responses import HTMLResponse

from producer.web.pages import translations
from producer.web.pages.sign_in import Person
from worker.domain import msisdn as numbers
from worker.domain.timezone import SHANGHAI

FOLDER = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def local(moment: datetime | None) -> str:
    """Write a moment in Asia/Shanghai, to the second."""
    return "" if moment is None else f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def grouped(number: float) -> str:
    """Write a whole number with its thousands apart."""
    return f"{number:,.0f}"


def facts(detail: Mapping[str, Any] | None) -> str:
    """Write an event's detail as a person reads it."""
    fields = {name: value for name, value in (detail or {}).items() if value is not None}
    return " · ".join(f"{name} {value}" for name, value in fields.items())


_environment.filters |= {"local": local, "grouped": grouped, "facts": facts}


def draw(
    request: Request,
    template: str,
    person: Person | None,
    *,
    status: int = 200,
    **facts: Any,
) -> HTMLResponse:
    """Return a page; with `?part=NAME` in the query only that block of it."""
    language = translations.language(request)

    def shown_number(msisdn: str) -> str:
        """Return a number whole for a person who may act, else masked."""
        return msisdn if person is not None and person.operates else numbers.mask(msisdn)

    context = {
        "person": person,
        "language": language,
        "languages": translations.LANGUAGES,
        "say": translations.speaker(language),
        "shown_number": shown_number,
        "path": request.url.path,
        "query": request.url.query,
        **facts,
    }
    page = _environment.get_template(template)
    block = request.query_params.get("part", "")
    if block in page.blocks:
        inner = page.new_context(context)
        body = "".join(page.blocks[block](inner))
    else:
        body = page.render(context)
    return HTMLResponse(body, status, HEADERS)
