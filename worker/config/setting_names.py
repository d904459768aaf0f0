"""Name all settings that a configuration may hold."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from worker.config.web_settings import WebSettings
from worker.gateways.registry import gateway_classes


def known_keys(top: type[BaseModel], raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield the key of each setting, with dots; for accounts, of those in the tables `raw`."""
    yield from top.model_fields
    yield from (f"web.{key}" for key in WebSettings.model_fields)
    yield "accounts"
    sections = raw.get("accounts")
    for name, section in sections.items() if isinstance(sections, Mapping) else ():
        gateway_name = section.get("gateway") if isinstance(section, Mapping) else None
        gateway = gateway_classes().get(str(gateway_name))
        for key, field in gateway.Settings.model_fields.items() if gateway else ():
            yield f"accounts.{name.lower()}.{field.alias or key}"
