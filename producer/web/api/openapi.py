"""Describes the API (OpenAPI), with the models that routes do not name by themselves.

A call is named as its function is (`send_message` is `sendMessage`), and generated clients take the
name over.
"""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from producer.web import problems
from producer.web.api import upload_schemas, webhook_schemas
from producer.web.api.authentication import RequireScope
from producer.web.api.campaign_schemas import NewCampaign
from producer.web.api.upload_schemas import UploadTerms

#: What the calls are about, in the order in which they are shown.
TAGS = {
    "messages": "One text to one number or many: send, look up, take back.",
    "campaigns": "One text to a list, with values for each recipient: load, run, export.",
    "inbound": "What handsets sent.",
    "opt-outs": "Numbers that want no more: add, take back, look up.",
    "templates": "Texts with named values, and how accounts send them.",
    "callbacks": "Be told what becomes of messages, instead of asking.",
    "accounts": "The accounts at gateways: what holds them, and what is left.",
    "health": "For probes and load balancers; without a key.",
}
#: Models to which routes only refer by name.
_NAMED = (problems.ProblemDocument, NewCampaign, UploadTerms)
_REF = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Have an application serve the complete description; it is made once."""

    def openapi_document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(app)
        return app.openapi_schema

    app.openapi = openapi_document  # type: ignore[method-assign]


def _name_scopes(paths: dict[str, Any], routes: Iterable[APIRoute]) -> None:
    """Say with each call which scopes its key needs: one of them, where there are several."""
    for route in routes:
        for dependant in route.dependant.dependencies:
            if isinstance(dependant.call, RequireScope):
                needed = [{"key": [scope.value]} for scope in sorted(dependant.call.scopes)]
                for method in route.methods or ():
                    if route.include_in_schema:
                        paths[route.path][method.lower()]["security"] = needed


def _complete(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        routes=app.routes,
        webhooks=webhook_schemas.router.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        # Relative to where it is read: behind a proxy too, and without a word of where that is.
        servers=[{"url": "/"}],
    )
    _name_scopes(document["paths"], app.state.routes)
    _, models = models_json_schema([(model, "validation") for model in _NAMED], ref_template=_REF)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in models.get("$defs", {}).items():
        components.setdefault(name, schema)
    components["CampaignUpload"] = upload_schemas.form_schema(components.pop("UploadTerms"))
    return document
