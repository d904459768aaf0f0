"""Find the files in which a configuration's secrets stand."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from worker.config.settings import Settings, read_file

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
    holds_secret = not texts.isdisjoint(_secrets(settings)) or any(
        map(_URL_WITH_PASSWORD.match, texts)
    )
    named = [settings.directory / Path(name).expanduser() for name in _file_names(raw)]
    return list(dict.fromkeys([*([settings.file] if holds_secret else []), *named]))


def _secrets(settings: Settings) -> Iterator[str]:
    """Yield every secret that a setting holds."""
    yield from _secrets_in(settings.top)
    for account in settings.accounts.values():
        yield from _secrets_in(account.settings)


def _secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, tuple):
        for item in value:
            yield from _secrets_in(item)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name))


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
