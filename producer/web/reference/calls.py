"""Make of the description of the API (OpenAPI) what a page shows: groups of calls, and schemas."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from producer.web.reference.curl_examples import curl
from producer.web.reference.schema_fields import (
    Field,
    Json,
    Kind,
    Schema,
    field,
    fields_of,
    kinds_of,
    schema_name,
)


@dataclass(frozen=True, slots=True)
class Body:
    """What a call takes: its form, and its fields."""

    media_type: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call may answer; an error has no kinds of its own."""

    status: str
    description: str
    kinds: Sequence[Kind]


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it is shown; `scopes` are empty where no key is needed."""

    name: str
    method: str
    path: str
    summary: str
    description: Sequence[str]
    scopes: Sequence[str]
    parameters: Sequence[Field]
    bodies: Sequence[Body]
    answers: Sequence[Answer]
    errors: Sequence[Answer]
    #: A line of curl that makes it; empty for what is sent by us.
    curl: str


@dataclass(frozen=True, slots=True)
class Group:
    """Calls about one thing."""

    name: str
    description: str
    calls: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Reference:
    """All that a page shows of the API."""

    groups: Sequence[Group]
    #: What callbacks are sent: calls that we make.
    webhooks: Sequence[Call]
    schemas: Sequence[Schema]


def reference(document: Json) -> Reference:
    """Return what a page shows of a description."""
    schemas = document["components"]["schemas"]
    calls = [
        (
            operation["tags"][0],
            _call(method, path, operation, schemas, curl(method, path, operation, schemas)),
        )
        for path, method, operation in _operations(document["paths"])
    ]
    groups = [
        Group(
            tag["name"], tag["description"], [call for group, call in calls if group == tag["name"]]
        )
        for tag in document["tags"]
    ]
    webhooks = [
        _call(method, event, operation, schemas, "")
        for event, method, operation in _operations(document["webhooks"])
    ]
    return Reference(groups, webhooks, list(_shown_schemas(schemas)))


def _operations(paths: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield path, method, operation


def _call(method: str, path: str, operation: Json, schemas: Json, curl_line: str) -> Call:
    responses = [
        _answer(status, response, schemas) for status, response in operation["responses"].items()
    ]
    return Call(
        operation["operationId"],
        method.upper(),
        path,
        operation["summary"],
        operation["description"].split("\n\n"),
        [scope for needed in operation.get("security", ()) for scope in needed["key"]],
        [
            field(
                parameter["name"],
                {"description": parameter.get("description", ""), **parameter["schema"]},
                schemas,
                is_required=parameter["required"],
            )
            for parameter in operation.get("parameters", ())
        ],
        [
            Body(media_type, fields_of(_resolved(content["schema"], schemas), schemas))
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
        ],
        [answer for answer in responses if not _is_error(answer)],
        [answer for answer in responses if _is_error(answer)],
        curl_line,
    )


def _resolved(schema: Json, schemas: Json) -> Json:
    """Return a body's schema itself; of one that may be left out, the other choice than null."""
    for choice in schema.get("anyOf", ()):
        if "$ref" in choice:
            schema = choice
    name = schema_name(schema)
    resolved: Json = schema if name is None else schemas[name]
    return resolved


def _answer(status: str, response: Json, schemas: Json) -> Answer:
    content: Json = next(iter(response.get("content", {}).values()), {})
    kinds = list(kinds_of(content["schema"], schemas)) if content.get("schema") else []
    description = response["description"]
    if description == "Successful Response":
        description = HTTPStatus(int(status)).phrase
    return Answer(status, description, kinds)


def _is_error(answer: Answer) -> bool:
    return not answer.status.startswith("2")


def _shown_schemas(schemas: Json) -> Iterator[Schema]:
    """Yield the schemas that have fields, by name."""
    for name, schema in sorted(schemas.items()):
        if "properties" in schema:
            yield Schema(name, schema.get("description", ""), fields_of(schema, schemas))
