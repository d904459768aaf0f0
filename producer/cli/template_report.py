"""Print a template: its versions, and what a text with example values would look like."""

from typing import TYPE_CHECKING, Any

from producer.cli import output
from worker.domain import limit_syntax, placeholders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.intake.template_lookup import BindingPreview, TemplateRecord
    from worker.store.templates.versions import TemplateVersion


def record_json(record: "TemplateRecord", previews: "Sequence[BindingPreview]") -> dict[str, Any]:
    """Return a template, its bindings and what a text would look like, as JSON shows them."""
    from worker.intake import template_lookup

    newest = record.versions[0]
    return {
        "template": newest.key,
        "usable_version": record.usable_version,
        "versions": [template_lookup.template_json(version) for version in record.versions],
        "bindings": [template_lookup.binding_json(binding) for binding in record.bindings],
        "previews": [
            {
                "binding": row.binding.id,
                "account": row.binding.terms.account,
                "segments": row.segments,
                "text": row.text,
                "problems": output.problems_json(row.problems),
            }
            for row in previews
        ],
    }


def print_record(record: "TemplateRecord", version: int | None) -> None:
    """Print the versions of a template, or one of them."""
    for template in record.versions:
        if version is not None and template.version != version:
            continue
        is_sent = template.version == record.usable_version
        output.print_facts(
            {
                "template": f"{template.key} {template.version}{', sent now' if is_sent else ''}",
                "class": template.message_class.value,
                "body": template.body,
                "values": _value_words(template),
                "added": template.created_at,
                "who": template.who,
            }
        )
    if record.usable_version is None:
        output.print_hint("no account may send it now")


def _value_words(template: "TemplateVersion") -> str:
    """Return the names of a version's values, each with its limits: `code (4-6,digits), name`."""
    return ", ".join(
        f"{name} ({limit_syntax.show(template.limits[name])})" if name in template.limits else name
        for name in placeholders.ordered_names(template.body)
    )


def print_previews(previews: "Sequence[BindingPreview]") -> None:
    """Print what a recipient would read by each binding, and its segments."""
    output.print_table(
        ("binding", "account", "segments", "text"),
        [
            (
                row.binding.id,
                row.binding.terms.account,
                row.segments,
                "; ".join(map(str, row.problems)) or row.text,
            )
            for row in previews
        ],
    )
