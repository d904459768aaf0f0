"""Answers errors as problem+json documents (RFC 9457): what is wrong, in which field, what to do.

A document holds no secret, no text and no whole number, not even those that the caller sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError
from starlette.exceptions import HTTPException

from worker.domain.errors import (
    KeyConflict,
    NotFound,
    Problem,
    Refused,
    TooLate,
    Unavailable,
)

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
            "errors": [error.model_dump() for error in field_errors(self.errors)],
        }
        return JSONResponse(document, self.status_code, self.headers, MEDIA_TYPE)


def field_errors(problems: Iterable[Problem]) -> list[FieldError]:
    """Return problems as JSON shows them, each with the field as the caller wrote it."""
    return [FieldError(field=field(problem.where), what=problem.what) for problem in problems]


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
