"""Read the configuration's secrets: plain, `{ env = "NAME" }` or `{ file = "path" }`.

They are held as `pydantic.SecretStr`, so that `repr`, errors and logs show stars. A gateway's
secret is what its vendor gave; a secret of our own choice has to be long. A variable or file that
is not there is a `MissingSecret`: what does not use it goes on without.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo

from worker.domain.errors import ConfigurationError, Problem

#: The fewest characters of a secret of our own choice. A cookie that a shorter one signed could be
#: forged by trying secrets until one fits.
MIN_SECRET_LENGTH = 20


class MissingSecret(SecretStr):
    """A secret whose variable or file cannot be read here: whoever uses it is told so."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__("")
        self.key = key
        self.reason = reason

    def get_secret_value(self) -> str:
        """Raise `ConfigurationError` with the key, and what is wrong with the variable or file."""
        raise ConfigurationError([Problem(self.key, self.reason)])

    # Two are not compared by a content that neither has.
    __eq__ = object.__eq__
    __hash__ = object.__hash__


def resolve(value: object, info: ValidationInfo) -> object:
    """Return the secret that `value` is or names; a `MissingSecret` when it cannot be read here.

    A relative file path starts at the configuration's own directory (`context["directory"]`); one
    line break at the file's end does not belong to the secret. Raises `ValueError`, saying how a
    secret is written, when `value` is none.
    """
    if not isinstance(value, Mapping):
        if isinstance(value, str | SecretStr):
            return value
        msg = 'write a secret as "…", { env = "NAME" } or { file = "path" }'
        raise ValueError(msg)
    context = info.context or {}
    try:
        match dict(value):
            case {"env": str(name), **others} if not others:
                return _from_environment(name, context.get("environ", os.environ))
            case {"file": str(path), **others} if not others:
                return _from_file(Path(context.get("directory", ".")) / Path(path).expanduser())
    except LookupError as error:
        names = filter(None, [context.get("key"), info.field_name])
        return MissingSecret(".".join(names), str(error.args[0]))
    msg = 'a secret\'s table has exactly one key: { env = "NAME" } or { file = "path" }'
    raise ValueError(msg)


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if not environ.get(name):
        msg = f"the environment variable {name} is not set; set it, or give the secret otherwise"
        raise LookupError(msg)
    return environ[name]


def _from_file(path: Path) -> str:
    try:
        secret = path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        msg = f"the file {path} cannot be read: {reason}"
        raise LookupError(msg) from None
    if not secret:
        msg = f"the file {path} is empty"
        raise LookupError(msg)
    return secret


#: A field that takes the three forms and holds a `SecretStr`.
Secret = Annotated[SecretStr, BeforeValidator(resolve)]


def make_secret() -> str:
    """Return a new secret: 43 characters, safe in addresses, from 256 bits of chance."""
    return secrets.token_urlsafe(32)


def _check_length(secret: SecretStr) -> SecretStr:
    """Return a secret, or raise `ValueError` when it is short, saying what to do."""
    if isinstance(secret, MissingSecret):
        return secret
    length = len(secret.get_secret_value())
    if length < MIN_SECRET_LENGTH:
        msg = (
            f"has {length} characters and needs {MIN_SECRET_LENGTH} or more, made by chance:"
            " `xinshi secret` prints one"
        )
        raise ValueError(msg)
    return secret


#: A secret that we make up ourselves, and that signs what others rely on.
OwnSecret = Annotated[Secret, AfterValidator(_check_length)]
