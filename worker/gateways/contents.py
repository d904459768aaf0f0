"""Put values and renderings into contents, and count what an account is sent of them. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from worker.domain import placeholders, segments
from worker.domain.renderings import Rendering
from worker.gateways.base import Account, Content


def rendered(content: Content, rendering: Rendering, values: Mapping[str, str] | None) -> Content:
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


def with_values(
    content: Content, rendering: Rendering | None, values: Mapping[str, str] | None
) -> Content:
    """Return a content with the values of one message put in; unchanged where it has none."""
    if not values:
        return content
    if rendering is not None:
        return rendered(content, rendering, values)
    if content.template:
        return replace(content, variables=values)
    return replace(content, text=placeholders.fill(content.text, values))


def segment_count(account: Account, content: Content) -> int:
    """Count the segments of a content as an account sends it.

    The platform adds no signature to a rendering that has its own.
    """
    text = content.text if content.rendered else account.gateway.body(content)
    return segments.count(text, "" if content.signature else account.settings.added_signature)
