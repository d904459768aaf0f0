"""Find a configuration's secrets: the files in which they stand, and those that are missing."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from worker.config.settings import Settings, read_file
from worker.domain.errors import ConfigurationError, Problem
from worker.domain.secret_fields import MissingSecret

_URL_WITH_PASSWORD = re.compile(r"[a-z+]+://[^/@]*:[^/]*@")


def files_with_secrets(settings: Settings) -> list[Path]:
    """Return the configuration's file, if it holds a secret itself, and those that it names.

    A secret is a password, a key, a token, or an address with a password. Raises
    `ConfigurationError` when the file cannot be read any more.
    """
    if settings.file is None:
        return []
    raw = read_file(settings.file)
    texts = set(_texts(raw))
    readable_secrets = (
        secret.get_secret_value()
        for _, secret in _secrets(settings)
        if not isinstance(secret, MissingSecret)
    )
    holds_secret = not texts.isdisjoint(readable_secrets) or any(
        map(_URL_WITH_PASSWORD.match, texts)
    )
    named = [settings.directory / Path(name).expanduser() for name in _file_names(raw)]
    return list(dict.fromkeys([*([settings.file] if holds_secret else []), *named]))


def require_secrets(settings: Settings) -> None:
    """Raise `ConfigurationError` with every secret whose variable or file cannot be read here.

    For processes that call gateways, or are called by them; a command that reads tables needs none.
    """
    problems = missing_secrets(settings)
    if problems:
        raise ConfigurationError(problems)


def missing_secrets(settings: Settings, account_name: str | None = None) -> list[Problem]:
    """Return a problem, with its key, for each secret (of an account) that cannot be read here."""
    prefix = "" if account_name is None else f"accounts.{account_name}."
    return [
        Problem(key, secret.reason)
        for key, secret in _secrets(settings)
        if isinstance(secret, MissingSecret) and key.startswith(prefix)
    ]


def _secrets(settings: Settings) -> Iterator[tuple[str, SecretStr]]:
    """Yield every secret that a setting holds, with its key."""
    yield from _secrets_in("", settings.top)
    for name, account in settings.accounts.items():
        yield from _secrets_in(f"accounts.{name}", account.settings)


def _secrets_in(key: str, value: object) -> Iterator[tuple[str, SecretStr]]:
    if isinstance(value, SecretStr):
        yield key, value
    elif isinstance(value, tuple):
        for position, item in enumerate(value):
            yield from _secrets_in(f"{key}.{position}", item)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(f"{key}.{name}".lstrip("."), getattr(value, name))


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in nested tables and lists."""
    if isinstance(value, str):
        yield value
    for item in _children(value):
        yield from _texts(item)


def _file_names(value: Any) -> Iterator[str]:
    """Yield the name in every table `{ file = "path" }`, by which a secret is given."""
    if isinstance(value, Mapping) and value.keys() == {"file"}:
        yield str(value["file"])
    for item in _children(value):
        yield from _file_names(item)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()
