"""The description of the API, with what routes that read their bodies themselves leave out."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from producer.web import problems
from producer.web.api import schemas as schemas_module

#: Models that stand in routes by name alone.
_NAMED = (problems.ProblemDocument, schemas_module.NewCampaign)
_REF = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Have an application describe itself wholly; what it says is made once."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _complete(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    _, models = models_json_schema([(one, "validation") for one in _NAMED], ref_template=_REF)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in models.get("$defs", {}).items():
        schemas.setdefault(name, schema)
    return made
