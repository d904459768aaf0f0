"""Say what a schema of OpenAPI takes in words: kinds, limits, and where a kind is described."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

_KINDS = {
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "object": "names and values",
    "string": "text",
}
_FORMATS = {"binary": "file", "date-time": "time"}
_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "from {}",
    "maximum": "to {}",
    "maxItems": "at most {} entries",
    "maxProperties": "at most {} entries",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A part of what a field may be; `schema` is the name of the schema that describes it."""

    text: str
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field or a parameter, as a row of a table."""

    name: str
    kinds: Sequence[Kind]
    limits: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Schema:
    """An object that fields refer to."""

    name: str
    description: str
    fields: Sequence[Field]


def schema_name(schema: Json) -> str | None:
    """Return the name of the schema that another one refers to; None when it refers to none."""
    reference: str | None = schema.get("$ref")
    return None if reference is None else reference.rpartition("/")[2]


def fields_of(schema: Json, schemas: Json) -> list[Field]:
    """Return the fields of an object."""
    required = schema.get("required", ())
    return [
        field(name, part, schemas, is_required=name in required)
        for name, part in schema.get("properties", {}).items()
    ]


def field(name: str, schema: Json, schemas: Json, *, is_required: bool) -> Field:
    """Return a field or a parameter as a row."""
    kinds = list(dict.fromkeys(kinds_of(schema, schemas)))
    limits = dict.fromkeys(_limits(schema, schemas))
    default = schema.get("default")
    if default or default is False:
        limits[f"else {_written(default)}"] = None
    return Field(name, kinds, "; ".join(limits), is_required, schema.get("description", ""))


def kinds_of(schema: Json, schemas: Json) -> Iterator[Kind]:
    """Yield what a value may be, in the order of the schema."""
    name = schema_name(schema)
    if name is not None and "properties" in schemas[name]:
        yield Kind(name, name)
    elif name is not None:
        yield from kinds_of(schemas[name], schemas)
    elif "anyOf" in schema:
        for choice in schema["anyOf"]:
            yield from kinds_of(choice, schemas)
    elif "enum" in schema or "const" in schema:
        yield Kind(", ".join(schema.get("enum", [schema.get("const")])))
    elif schema.get("type") == "array":
        for kind in kinds_of(schema["items"], schemas):
            yield Kind(f"list of {kind.text}", kind.schema)
    else:
        plain = _KINDS.get(schema.get("type", ""), "anything")
        yield Kind(_FORMATS.get(schema.get("format", ""), plain))


def _limits(schema: Json, schemas: Json) -> Iterator[str]:
    name = schema_name(schema)
    if name is not None and "properties" not in schemas[name]:
        yield from _limits(schemas[name], schemas)
    for choice in schema.get("anyOf", ()):
        yield from _limits(choice, schemas)
    for key, words in _LIMITS.items():
        # An id's greatest value says nothing to a reader.
        if key in schema and schema[key] < 2**31:
            yield words.format(schema[key])


def _written(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)
