"""Pages from templates, whole or one block of them, with the headers that keep them to themselves.

Nothing on a page is from elsewhere, nothing on it is a script or a style of its own: the policy
below lets only our two files run.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2
from fastapi import Request
from starlette.responses import HTMLResponse

from producer.web.pages import translations
from producer.web.pages.sign_in import Person
from worker.domain import msisdn as numbers

HERE = Path(__file__).parent
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
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
    loader=jinja2.FileSystemLoader(HERE / "templates"),
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
    known = {name: value for name, value in (detail or {}).items() if value is not None}
    return " · ".join(f"{name} {value}" for name, value in known.items())


_environment.filters |= {"local": local, "grouped": grouped, "facts": facts}


def draw(
    request: Request,
    template: str,
    who: Person | None,
    *,
    status: int = 200,
    **facts: Any,
) -> HTMLResponse:
    """Return a page; with `?part=NAME` in the query only that block of it."""
    language = translations.language(request)

    def seen(msisdn: str) -> str:
        """Whole for whoever may act, masked for whoever may only look."""
        return msisdn if who is not None and who.operates else numbers.mask(msisdn)

    context = {
        "who": who,
        "language": language,
        "languages": translations.LANGUAGES,
        "say": translations.speaker(language),
        "seen": seen,
        "path": request.url.path,
        "query": request.url.query,
        **facts,
    }
    found = _environment.get_template(template)
    part = request.query_params.get("part", "")
    if part in found.blocks:
        inner = found.new_context(context)
        body = "".join(found.blocks[part](inner))
    else:
        body = found.render(context)
    return HTMLResponse(body, status, HEADERS)
