"""Write a call as a line of curl that works once `XINSHI_URL` and `XINSHI_KEY` are set."""

import json
import shlex
from typing import Any
from urllib.parse import urlencode

from producer.web.reference.schema_fields import Json, schema_name


def curl(method: str, path: str, operation: Json, schemas: Json) -> str:
    """Return the command for a call, with the examples that its description has."""
    parameters = operation.get("parameters", ())
    for parameter in parameters:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(_example(parameter)))
    query = urlencode(
        {
            parameter["name"]: _example(parameter)
            for parameter in parameters
            if parameter["in"] == "query" and parameter["required"]
        }
    )
    address = f"{path}?{query}" if query else path
    lines = [f'curl "$XINSHI_URL{address}"']
    if operation.get("security"):
        lines.append('--header "Authorization: Bearer $XINSHI_KEY"')
    if any(parameter["name"] == "Idempotency-Key" for parameter in parameters):
        lines.append(f'--header "Idempotency-Key: {operation["tags"][0]}-1001"')
    body = _body(operation, schemas)
    if body is not None:
        lines.append(f"--json {shlex.quote(json.dumps(body, ensure_ascii=False))}")
    if method != ("get" if body is None else "post"):
        lines.insert(1, f"--request {method.upper()}")
    return " \\\n  ".join(lines)


def _body(operation: Json, schemas: Json) -> Any:
    """Return an example of a body that has to be sent; None where none has to be."""
    request_body = operation.get("requestBody", {})
    if not request_body.get("required"):
        return None
    schema = request_body["content"]["application/json"]["schema"]
    described = schemas[schema_name(schema) or ""]
    if "examples" in described:
        return described["examples"][0]
    return {
        name: part["examples"][0]
        for name, part in described["properties"].items()
        if name in described.get("required", ())
    }


def _example(parameter: Json) -> Any:
    return parameter["schema"].get("examples", [1])[0]
