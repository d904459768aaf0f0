"""Put a rendering into a content: what an account is sent of a template. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from worker.domain.renderings import Rendering
from worker.gateways.base import Content


def content_of(content: Content, rendering: Rendering, values: Mapping[str, str] | None) -> Content:
    """Return a template's content as one account is sent it.

    `values` are those that all messages share; with None each has its own, and the text keeps its
    placeholders.
    """
    return replace(
        content,
        text=rendering.signed_body if values is None else rendering.text(values),
        template=rendering.vendor_id,
        variables={} if values is None else rendering.parameters(values),
        signature=rendering.signature,
        signature_id=rendering.signature_id,
        rendered=True,
    )
