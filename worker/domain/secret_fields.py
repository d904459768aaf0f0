"""Read the configuration's secrets: plain, `{ env = "NAME" }` or `{ file = "path" }`.

They are held as `pydantic.SecretStr`, so that `repr`, errors and logs show stars.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr, ValidationInfo


def resolve(value: object, info: ValidationInfo) -> object:
    """Return the secret that `value` is or names, or raise `ValueError` saying why there is none.

    A relative file path starts at the configuration's own directory (`context["directory"]`); one
    line break at the file's end does not belong to the secret.
    """
    if not isinstance(value, Mapping):
        if isinstance(value, str | SecretStr):
            return value
        msg = 'write a secret as "…", { env = "NAME" } or { file = "path" }'
        raise ValueError(msg)
    context = info.context or {}
    match dict(value):
        case {"env": str(name), **others} if not others:
            return _from_environment(name, context.get("environ", os.environ))
        case {"file": str(path), **others} if not others:
            return _from_file(Path(context.get("directory", ".")) / Path(path).expanduser())
    msg = 'a secret\'s table has exactly one key: { env = "NAME" } or { file = "path" }'
    raise ValueError(msg)


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if not environ.get(name):
        msg = f"the environment variable {name} is not set; set it, or give the secret otherwise"
        raise ValueError(msg)
    return environ[name]


def _from_file(path: Path) -> str:
    try:
        secret = path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        msg = f"the file {path} cannot be read: {reason}"
        raise ValueError(msg) from None
    if not secret:
        msg = f"the file {path} is empty"
        raise ValueError(msg)
    return secret


#: A field that takes the three forms and holds a `SecretStr`.
Secret = Annotated[SecretStr, BeforeValidator(resolve)]
