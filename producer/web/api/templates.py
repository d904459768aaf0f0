"""Routes for templates, signatures and bindings: list, add, bind, pause, resume.

A key that may only `send` sees keys, classes and values, and whether a template may be sent; it
learns no account's name.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from producer.web.api import ownership, template_schemas
from producer.web.api.api_route import ApiRoute
from producer.web.api.authentication import Caller, RequireScope
from producer.web.api.lookups import visible_accounts
from producer.web.context import AppContext, Context
from producer.web.problems import field_errors, responses
from worker.domain import renderings, template_rules
from worker.domain.enums import RegistrationState, Scope
from worker.domain.errors import Problem, Refused
from worker.intake import template_lookup, templates
from worker.intake.template_lookup import TemplateSummary
from worker.store.db import database
from worker.store.templates import signatures

router = APIRouter(prefix="/v1", tags=["templates"], route_class=ApiRoute)

Reader = Annotated[Caller, Depends(RequireScope(Scope.SEND, Scope.OPERATE))]
Operator = Annotated[Caller, Depends(RequireScope(Scope.OPERATE))]
TemplateKey = Annotated[
    str, Path(max_length=template_rules.MAX_KEY_LENGTH, pattern=template_rules.KEY_PATTERN)
]
RowId = Annotated[int, Path(ge=1, le=ownership.MAX_ID)]
_READ_ERRORS = responses(401, 403, 404, 422, 429, 503)
_WRITE_ERRORS = responses(400, 401, 403, 404, 408, 413, 422, 429, 503)


@router.get(
    "/templates",
    response_model=template_schemas.Templates,
    summary="See what can be sent",
    responses=responses(401, 403, 422, 429, 503),
)
async def list_templates(context: Context, caller: Reader) -> Any:
    """Return each template's key, class and values, and whether some account may send it now."""

    def read() -> list[TemplateSummary]:
        with database.reading(context.engine) as connection:
            return template_lookup.summaries(connection, visible_accounts(context, caller))

    return {"templates": [_summary_fields(row) for row in await context.run(read)]}


def _summary_fields(row: TemplateSummary) -> dict[str, Any]:
    fields = template_lookup.template_json(row.template)
    names = ("template", "version", "class", "values", "limits")
    return {**{name: fields[name] for name in names}, "usable": row.is_usable}


@router.post(
    "/templates",
    response_model=template_schemas.AddedTemplate,
    summary="Add a template",
    responses=responses(400, 401, 403, 408, 413, 422, 429, 503),
)
async def add_template(
    body: template_schemas.NewTemplate, context: Context, caller: Operator
) -> Any:
    """Add a template, or the next version of one; the newest version again changes nothing."""
    new_template = templates.NewTemplate(
        body.template, body.message_class, body.body, _limits(body.limits)
    )
    added = await context.run(
        templates.add_template, context.engine, context.settings, new_template, caller.sender
    )
    return {
        **template_lookup.template_json(added.template),
        "added": added.is_new,
        "warnings": field_errors(added.warnings),
    }


def _limits(
    limits: Mapping[str, template_schemas.ValueLimits],
) -> dict[str, renderings.ValueLimits]:
    return {
        name: renderings.ValueLimits(**value_limits.model_dump())
        for name, value_limits in limits.items()
    }


@router.get(
    "/templates/{template}",
    response_model=template_schemas.Template,
    summary="See a template",
    responses=_READ_ERRORS,
)
async def show_template(template: TemplateKey, context: Context, caller: Reader) -> Any:
    """Return a template, and to a key that may `operate` how each account sends it."""
    return await context.run(_template, context, template, caller)


def _template(context: AppContext, key: str, caller: Caller) -> dict[str, Any]:
    accounts = visible_accounts(context, caller)
    with database.reading(context.engine) as connection:
        fields = _summary_fields(template_lookup.summary(connection, key, accounts))
        if not caller.may(Scope.OPERATE):
            return {**fields, "versions": [], "bindings": []}
        record = template_lookup.find_template(connection, key, accounts)
    return {
        **fields,
        "versions": [template_lookup.template_json(row) for row in record.versions],
        "bindings": [template_lookup.binding_json(row) for row in record.bindings],
    }


@router.post(
    "/templates/{template}/bindings",
    response_model=template_schemas.AddedBinding,
    summary="Say how an account sends a template",
    responses=_WRITE_ERRORS,
)
async def bind_template(
    template: TemplateKey, body: template_schemas.NewBinding, context: Context, caller: Operator
) -> Any:
    """Have an account send a version of a template; the same again changes nothing."""
    _require_account(context, caller, body.account)
    fields = {**body.model_dump(exclude={"limits"}), "limits": _limits(body.limits)}
    new_binding = templates.NewBinding(template, **fields)
    added = await context.run(
        templates.bind, context.engine, context.settings, new_binding, caller.sender
    )
    return {
        **template_lookup.binding_json(added.binding),
        "added": added.is_new,
        "warnings": field_errors(added.warnings),
    }


def _require_account(context: AppContext, caller: Caller, account: str) -> None:
    """Raise `Refused` unless an account is one of those that a caller sees."""
    names = sorted(visible_accounts(context, caller))
    if account not in names:
        shown = ", ".join(names) or "none"
        raise Refused([Problem("account", f"there is no such account; there are: {shown}")])


@router.post(
    "/bindings/{binding_id}/pause",
    response_model=template_schemas.Binding,
    summary="Send nothing more by a binding",
    responses=_WRITE_ERRORS,
)
async def pause_binding(
    binding_id: RowId, body: template_schemas.PauseReason, context: Context, caller: Operator
) -> Any:
    """Take a binding out of use; one that is paused already stays as it is."""
    return await _move_binding(context, caller, binding_id, _paused(body), body.why)


@router.post(
    "/bindings/{binding_id}/resume",
    response_model=template_schemas.Binding,
    summary="Send by a binding again",
    responses=_WRITE_ERRORS,
)
async def resume_binding(
    binding_id: RowId, body: template_schemas.Reason, context: Context, caller: Operator
) -> Any:
    """Let a binding be used: its vendor approved it, or what paused it is mended."""
    state = RegistrationState.APPROVED
    return await _move_binding(context, caller, binding_id, state, body.why)


def _paused(body: template_schemas.PauseReason) -> RegistrationState:
    return RegistrationState.REFUSED if body.refused else RegistrationState.PAUSED


async def _move_binding(
    context: AppContext,
    caller: Caller,
    binding_id: int,
    state: RegistrationState,
    why: str | None,
) -> dict[str, Any]:
    accounts = visible_accounts(context, caller)
    binding, _ = await context.run(
        templates.move_binding, context.engine, binding_id, state, caller.sender, why, accounts
    )
    return template_lookup.binding_json(binding)


@router.get(
    "/signatures",
    response_model=template_schemas.Signatures,
    summary="See the signatures",
    responses=responses(401, 403, 422, 429, 503),
)
async def list_signatures(context: Context, caller: Operator) -> Any:
    """Return the signatures that accounts may use, and those that they may not use now."""

    def read() -> list[signatures.Signature]:
        with database.reading(context.engine) as connection:
            return signatures.list_signatures(connection)

    names = visible_accounts(context, caller)
    return {
        "signatures": [
            template_lookup.signature_json(row)
            for row in await context.run(read)
            if row.account in names
        ]
    }


@router.post(
    "/signatures",
    response_model=template_schemas.AddedSignature,
    summary="Add a signature",
    responses=responses(400, 401, 403, 408, 413, 422, 429, 503),
)
async def add_signature(
    body: template_schemas.NewSignature, context: Context, caller: Operator
) -> Any:
    """Add a signature that an account's vendor has registered; the same again changes nothing."""
    _require_account(context, caller, body.account)
    signature, is_new = await context.run(
        templates.add_signature,
        context.engine,
        context.settings,
        body.account,
        body.name,
        body.vendor_id,
        caller.sender,
        draft=body.draft,
    )
    return {**template_lookup.signature_json(signature), "added": is_new}


@router.post(
    "/signatures/{signature_id}/pause",
    response_model=template_schemas.Signature,
    summary="Send nothing more with a signature",
    responses=_WRITE_ERRORS,
)
async def pause_signature(
    signature_id: RowId, body: template_schemas.PauseReason, context: Context, caller: Operator
) -> Any:
    """Take a signature out of use, and with it each binding that it goes with."""
    return await _move_signature(context, caller, signature_id, _paused(body), body.why)


@router.post(
    "/signatures/{signature_id}/resume",
    response_model=template_schemas.Signature,
    summary="Send with a signature again",
    responses=_WRITE_ERRORS,
)
async def resume_signature(
    signature_id: RowId, body: template_schemas.Reason, context: Context, caller: Operator
) -> Any:
    """Let a signature be used: its vendor approved it, or what paused it is mended."""
    state = RegistrationState.APPROVED
    return await _move_signature(context, caller, signature_id, state, body.why)


async def _move_signature(
    context: AppContext,
    caller: Caller,
    signature_id: int,
    state: RegistrationState,
    why: str | None,
) -> dict[str, Any]:
    accounts = visible_accounts(context, caller)
    signature, _ = await context.run(
        templates.move_signature, context.engine, signature_id, state, caller.sender, why, accounts
    )
    return template_lookup.signature_json(signature)
