"""Has an application answer every error by a problem document."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from producer.web.problems import HANDLED_ERRORS, HttpProblem, problem_of
from worker import outages
from worker.config import schema_faults
from worker.domain.errors import Problem

log = structlog.get_logger()


def install(app: FastAPI) -> None:
    """Have an application answer every error by a problem document."""
    for kind in HANDLED_ERRORS:
        app.add_exception_handler(kind, _handle_known)
    app.add_exception_handler(HTTPException, _handle_http)
    app.add_exception_handler(RequestValidationError, _handle_invalid)
    app.add_exception_handler(Exception, _handle_fault)


def _handle_known(request: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error)
    if problem.status_code >= 500 and not outages.DATABASE.is_away:
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
    path = schema_faults.path(fault["loc"][1:]) or [str(fault["loc"][0])]
    name = path[0] + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path[1:])
    if fault["type"] == "json_invalid":
        return Problem("body", f"is no JSON at character {path[0]}")
    return Problem(name, schema_faults.sentence(fault))


def _handle_fault(request: Request, error: Exception) -> JSONResponse:
    log.error("web.failed", route=_route_path(request), why=type(error).__name__, exc_info=error)
    return HttpProblem(500, "fault", "a fault of this server; it is in the log").response()


def _route_path(request: Request) -> str:
    """Return the route as it is written, and not its path: paths may hold tokens."""
    return str(getattr(request.scope.get("route"), "path", "-"))
