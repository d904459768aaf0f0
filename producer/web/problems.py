"""Answers errors as problem+json documents (RFC 9457): what is wrong, in which field, what to do.

A document holds no secret, no text and no whole number, not even those that the caller sent.
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

MEDIA_TYPE = "application/problem+json"
#: The names of arguments in Python, and of the same fields in a request.
_FIELDS = {"message_class": "class", "key": "Idempotency-Key"}
#: After so many seconds a caller may try again when the database does not answer.
RETRY_AFTER = 5


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
    """An error with its HTTP status, its kind in one word, and what to do."""

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
        """Return the answer with this problem as its document."""
        document = {
            "type": f"urn:xinshi:problem:{self.kind}",
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "detail": self.detail,
            "errors": [
                {"field": field(problem.where), "what": problem.what} for problem in self.errors
            ],
        }
        return JSONResponse(document, self.status_code, self.headers, MEDIA_TYPE)


def field(where: str) -> str:
    """Name a field as the caller wrote it: `to, row 3` is `to[2]`."""
    name, row, nth = where.partition(", row ")
    name = _FIELDS.get(name, name)
    return f"{name}[{int(nth) - 1}]" if row and nth.isdigit() else name


#: What each status means here, for OpenAPI.
STATUS_MEANINGS = {
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
        status: {
            "description": STATUS_MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in sorted(statuses)
    }


def problem_of(error: Exception) -> HttpProblem:
    """Return the problem that an error of ours is answered with."""
    match error:
        case HttpProblem():
            problem = error
        case KeyConflict():
            problem = HttpProblem(
                409, "key-conflict", "the key is another request's", error.problems
            )
        case Refused():
            problem = HttpProblem(422, "refused", "nothing was stored; see errors", error.problems)
        case DataError():
            detail = "nothing was stored: it holds what the database cannot, as a NUL character"
            problem = HttpProblem(422, "refused", detail)
        case NotFound():
            problem = HttpProblem(404, "not-found", str(error))
        case TooLate():
            problem = HttpProblem(409, "too-late", str(error))
        case _:
            advice = "the database does not answer; repeat the call, with its Idempotency-Key"
            problem = HttpProblem(
                503, "unavailable", advice, headers={"Retry-After": str(RETRY_AFTER)}
            )
    return problem


#: The errors that `problem_of` answers; every other one is a fault of ours (500).
HANDLED_ERRORS = (HttpProblem, Refused, NotFound, TooLate, Unavailable, DBAPIError)


def install(app: FastAPI) -> None:
    """Have an application answer every error by a problem document."""
    for kind in HANDLED_ERRORS:
        app.add_exception_handler(kind, _handle_known)
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(RequestValidationError, _handle_invalid)
    app.add_exception_handler(Exception, _handle_fault)


def _handle_known(request: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error)
    if problem.status_code >= 500:
        log.warning("web.unavailable", route=_route_path(request), why=type(error).__name__)
    return problem.response()


def _handle_http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    details = {404: "there is nothing at this address", 405: "this address takes other methods"}
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    detail_text = details.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed_methods(request)) or headers.get("allow", "")
    return HttpProblem(error.status_code, kind, detail_text, headers=headers).response()


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods that an address takes; several routes may share it."""
    routes = [route for route in request.app.state.routes if isinstance(route, Route)]
    fits = (route for route in routes if route.path_regex.match(request.url.path))
    return sorted({method for route in fits for method in route.methods or ()})


def _handle_invalid(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    field_problems = [_field_problem(fault) for fault in error.errors()]
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return HttpProblem(400, "no-json", "the body is no JSON", field_problems).response()
    return HttpProblem(422, "refused", "nothing was stored; see errors", field_problems).response()


def _field_problem(fault: Mapping[str, Any]) -> Problem:
    """Return a fault that the schema reports as a problem; the value is not repeated."""
    path = [str(part) for part in fault["loc"][1:]] or [str(fault["loc"][0])]
    name = path[0] + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path[1:])
    if fault["type"] == "json_invalid":
        return Problem("body", f"is no JSON at character {path[0]}")
    explanation = {"extra_forbidden": "is unknown", "missing": "is missing"}.get(fault["type"])
    return Problem(name, explanation or str(fault["msg"]).removeprefix("Value error, "))


def _handle_fault(request: Request, error: Exception) -> JSONResponse:
    log.error("web.failed", route=_route_path(request), why=type(error).__name__, exc_info=error)
    return HttpProblem(500, "fault", "a fault of this server; it is in the log").response()


def _route_path(request: Request) -> str:
    """Return the route as it is written, and not its path: paths may hold tokens."""
    return str(getattr(request.scope.get("route"), "path", "-"))
