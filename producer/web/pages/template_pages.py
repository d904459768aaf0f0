"""The pages of templates: what can be sent, by which accounts; to pause and to resume."""

from typing import Annotated, Any

from fastapi import Form as Field
from fastapi import Path, Request
from starlette.responses import RedirectResponse, Response

from producer.web.context import AppContext, Context
from producer.web.pages import page_routes
from producer.web.pages.rendering import draw
from producer.web.pages.sign_in import Looking, Operating
from worker.domain import limit_syntax, parameter_plans, placeholders, template_rules
from worker.domain.enums import RegistrationState
from worker.domain.errors import NotFound
from worker.domain.registrations import MAX_REASON_LENGTH
from worker.intake import template_lookup, templates
from worker.store.db import database
from worker.store.templates import signatures, usable, versions
from worker.store.templates.versions import TemplateVersion

router = page_routes.router("/templates")

TemplateKey = Annotated[str, Path(max_length=template_rules.MAX_KEY_LENGTH)]
#: What a person may do with a binding or a signature, and the state that this comes to.
ACTS = {
    "pause": RegistrationState.PAUSED,
    "refuse": RegistrationState.REFUSED,
    "resume": RegistrationState.APPROVED,
}


@router.get("")
async def index(request: Request, context: Context, person: Looking) -> Response:
    """Draw all templates, and all signatures."""
    return draw(request, "templates.html", person, **await context.run(_registry, context))


def _registry(context: AppContext) -> dict[str, Any]:
    with database.reading(context.engine) as connection:
        return {
            "templates": versions.list_newest(connection),
            "sent_versions": usable.usable_keys(connection, context.settings.accounts),
            "signatures": signatures.list_signatures(connection),
        }


@router.get("/{template}")
async def show(
    request: Request, context: Context, person: Looking, template: TemplateKey
) -> Response:
    """Draw one template: its versions, and how each account sends them."""
    return draw(request, "template.html", person, **await context.run(_record, context, template))


def _record(context: AppContext, key: str) -> dict[str, Any]:
    accounts = context.settings.accounts
    with database.reading(context.engine) as connection:
        record = template_lookup.find_template(connection, key)
        sendable = usable.usable_versions(connection, key, accounts)
    return {
        "key": key,
        "versions": record.versions,
        "sent_version": sendable[0] if sendable else None,
        "bindings": record.bindings[::-1],
        "accounts": accounts,
        "value_words": {version.version: _value_words(version) for version in record.versions},
        "parameters": {row.id: parameter_plans.show(row.terms.plan) for row in record.bindings},
    }


def _value_words(template: TemplateVersion) -> list[tuple[str, str]]:
    """Return the names of a version's values, each with what it may be, as --limit takes it."""
    return [
        (name, limit_syntax.show(template.limits[name]) if name in template.limits else "")
        for name in placeholders.ordered_names(template.body)
    ]


@router.post("/bindings/{binding_id}/{act}")
async def move_binding(
    context: Context,
    binding_id: page_routes.Id,
    act: str,
    person: Operating,
    why: Annotated[str, Field()] = "",
) -> Response:
    """Take a binding out of use, or let it be used again."""
    binding, _ = await context.run(
        templates.move_binding,
        context.engine,
        binding_id,
        _state(act),
        person.name,
        why.strip()[:MAX_REASON_LENGTH] or None,
    )
    return RedirectResponse(f"/templates/{binding.key}", 303)


@router.post("/signatures/{signature_id}/{act}")
async def move_signature(
    context: Context,
    signature_id: page_routes.Id,
    act: str,
    person: Operating,
    why: Annotated[str, Field()] = "",
) -> Response:
    """Take a signature out of use, or let it be used again."""
    await context.run(
        templates.move_signature,
        context.engine,
        signature_id,
        _state(act),
        person.name,
        why.strip()[:MAX_REASON_LENGTH] or None,
    )
    return RedirectResponse("/templates", 303)


def _state(act: str) -> RegistrationState:
    if act not in ACTS:
        msg = "it can be paused, refused or resumed"
        raise NotFound(msg)
    return ACTS[act]
