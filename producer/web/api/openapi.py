"""Describes the API (OpenAPI), with the models that routes do not name by themselves."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from producer.web import problems
from producer.web.api.campaign_schemas import NewCampaign

#: Models to which routes only refer by name.
_NAMED = (problems.ProblemDocument, NewCampaign)
_REF = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Have an application serve the complete description; it is made once."""

    def openapi_document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(app)
        return app.openapi_schema

    app.openapi = openapi_document  # type: ignore[method-assign]


def _complete(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes
    )
    _, models = models_json_schema([(model, "validation") for model in _NAMED], ref_template=_REF)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in models.get("$defs", {}).items():
        components.setdefault(name, schema)
    return document
