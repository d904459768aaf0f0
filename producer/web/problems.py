"""Errors as problem+json documents (RFC 9457): what is wrong, in which field, what to do.

They hold no secret, no text and no whole number, also not what a caller sent.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from worker.domain.errors import (
    KeyConflict,
    NotFound,
    Problem,
    Refused,
    TooLate,
    Unavailable,
)

log = structlog.get_logger()

MEDIA = "application/problem+json"
#: What our own words for arguments are called in JSON.
_FIELDS = {"message_class": "class", "key": "Idempotency-Key"}
#: How soon a caller may try again when the database does not answer, in seconds.
SOON = 5


class FieldError(BaseModel):
    """One thing that is wrong."""

    field: str = Field(examples=["to[0]"])
    what: str = Field(examples=["138 has 3 digits; a mobile number has 11"])


class ProblemDocument(BaseModel):
    """What every error looks like (RFC 9457)."""

    type: str = Field(examples=["urn:xinshi:problem:refused"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["nothing was stored; see errors"])
    errors: list[FieldError] = Field(default_factory=list)


class HttpProblem(HTTPException):
    """What only HTTP knows: a status, its kind in one word, and what to do."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        errors: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.kind, self.errors = kind, tuple(errors)

    def response(self) -> JSONResponse:
        """Return it as it is answered."""
        document = {
            "type": f"urn:xinshi:problem:{self.kind}",
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "detail": self.detail,
            "errors": [{"field": field(one.where), "what": one.what} for one in self.errors],
        }
        return JSONResponse(document, self.status_code, self.headers, MEDIA)


def field(where: str) -> str:
    """Name a field as the caller wrote it: `to, row 3` is `to[2]`."""
    name, row, nth = where.partition(", row ")
    name = _FIELDS.get(name, name)
    return f"{name}[{int(nth) - 1}]" if row and nth.isdigit() else name


#: What each status means here, for OpenAPI.
MEANINGS = {
    400: "The body is no JSON, or a parameter cannot be read.",
    401: "There is no API key, or it is unknown or revoked.",
    403: "The API key does not have the scope that this needs.",
    404: "There is no such thing, or it is another sender's.",
    408: "The body did not arrive in time.",
    409: "The key stands for another request, or what is asked comes too late.",
    413: "The body is larger than is taken.",
    415: "The body is of a type that is not taken.",
    422: "Something is wrong with the request; nothing was stored.",
    429: "Too much in too short a time; nothing was stored. Retry-After says when to come again.",
    503: "The database does not answer. Repeat the call with its Idempotency-Key.",
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors that a route may answer."""
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        status: {"description": MEANINGS[status], "content": {MEDIA: {"schema": schema}}}
        for status in sorted(statuses)
    }


def told(error: Exception) -> HttpProblem:
    """Say how an error of ours is told."""
    match error:
        case HttpProblem():
            found = error
        case KeyConflict():
            found = HttpProblem(409, "key-conflict", "the key is another request's", error.problems)
        case Refused():
            found = HttpProblem(422, "refused", "nothing was stored; see errors", error.problems)
        case DataError():
            what = "nothing was stored: it holds what the database cannot, as a NUL character"
            found = HttpProblem(422, "refused", what)
        case NotFound():
            found = HttpProblem(404, "not-found", str(error))
        case TooLate():
            found = HttpProblem(409, "too-late", str(error))
        case _:
            why = "the database does not answer; repeat the call, with its Idempotency-Key"
            found = HttpProblem(503, "unavailable", why, headers={"Retry-After": str(SOON)})
    return found


#: What is told apart above; everything else is a fault.
KNOWN = (HttpProblem, Refused, NotFound, TooLate, Unavailable, DBAPIError)


def install(app: FastAPI) -> None:
    """Answer every error of an application in this one form."""
    for kind in KNOWN:
        app.add_exception_handler(kind, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _fault)


def _ours(request: Request, error: Exception) -> JSONResponse:
    found = told(error)
    if found.status_code >= 500:
        log.warning("web.unavailable", route=_route(request), why=type(error).__name__)
    return found.response()


def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    detail = {404: "there is nothing at this address", 405: "this address takes other methods"}
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    words = detail.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request)) or headers.get("allow", "")
    return HttpProblem(error.status_code, kind, words, headers=headers).response()


def _methods(request: Request) -> list[str]:
    """Return what an address takes: several routes may share it."""
    there = [route for route in request.app.state.routes if isinstance(route, Route)]
    fits = (route for route in there if route.path_regex.match(request.url.path))
    return sorted({method for route in fits for method in route.methods or ()})


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    found = [_problem(one) for one in error.errors()]
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return HttpProblem(400, "no-json", "the body is no JSON", found).response()
    return HttpProblem(422, "refused", "nothing was stored; see errors", found).response()


def _problem(fault: Mapping[str, Any]) -> Problem:
    """Say what the schema found; values are not repeated."""
    where = [str(part) for part in fault["loc"][1:]] or [str(fault["loc"][0])]
    name = where[0] + "".join(f"[{one}]" if one.isdigit() else f".{one}" for one in where[1:])
    if fault["type"] == "json_invalid":
        return Problem("body", f"is no JSON at character {where[0]}")
    said = {"extra_forbidden": "is unknown", "missing": "is missing"}.get(fault["type"])
    return Problem(name, said or str(fault["msg"]).removeprefix("Value error, "))


def _fault(request: Request, error: Exception) -> JSONResponse:
    log.error("web.failed", route=_route(request), why=type(error).__name__, exc_info=error)
    return HttpProblem(500, "fault", "a fault of this server; it is in the log").response()


def _route(request: Request) -> str:
    """The route as it is written, not the path: paths may hold tokens."""
    return str(getattr(request.scope.get("route"), "path", "-"))
