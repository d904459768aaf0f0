"""Add templates, signatures and bindings by hand, and take them out of use and into it again.

What is wrong is refused as a whole, with each problem named. What is there already stays as it is:
whoever repeats a call changes nothing.
"""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain import parameter_plans, template_rules
from worker.domain.enums import MessageClass, PlanKind, RegistrationState
from worker.domain.errors import NotFound, Problem, Refused
from worker.domain.limit_syntax import limit_problems
from worker.domain.placeholders import ordered_names
from worker.domain.renderings import ParameterPlan, ValueLimits
from worker.gateways.base import Account
from worker.store.db import database
from worker.store.templates import bindings, signatures, versions
from worker.store.templates.bindings import Binding, BindingTerms
from worker.store.templates.signatures import Signature
from worker.store.templates.versions import TemplateVersion

#: How many keys are named to who names one that is not there.
MAX_SHOWN_KEYS = 10


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """A text with named values, as it was given."""

    key: str
    message_class: MessageClass
    body: str
    limits: Mapping[str, ValueLimits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewBinding:
    """How an account is to send a template, as it was given."""

    key: str
    account: str
    #: None: the newest.
    version: int | None = None
    vendor_id: str | None = None
    #: None: `text`, where the vendor has no id of its own.
    plan: PlanKind | None = None
    #: As `worker.domain.parameter_plans` reads it; None: the body's names in their order.
    parameters: str | None = None
    #: A signature's name, with or without 【】, or its id.
    signature: str | None = None
    limits: Mapping[str, ValueLimits] = field(default_factory=dict)
    draft: bool = False


class AddedTemplate(NamedTuple):
    """The version that was added, or that was there already, and what is doubtful about it."""

    template: TemplateVersion
    is_new: bool
    warnings: list[Problem]


class AddedBinding(NamedTuple):
    """The binding that was added, or that was there already, and what is doubtful about it."""

    binding: Binding
    is_new: bool
    warnings: list[Problem]


def add_template(
    engine: Engine, settings: Settings, new_template: NewTemplate, who: str
) -> AddedTemplate:
    """Add the next version of a template; the newest again changes nothing.

    Raises `Refused` with every problem.
    """
    problems = template_rules.key_problems(new_template.key)
    body, limits, message_class = (
        new_template.body,
        new_template.limits,
        new_template.message_class,
    )
    findings = template_rules.check_body(body, limits, message_class, settings.reply_words)
    problems += findings.problems
    if problems:
        raise Refused(problems)
    with database.writing(engine) as connection:
        template, is_new = versions.add(
            connection, new_template.key, message_class, body, limits, who
        )
    return AddedTemplate(template, is_new, findings.warnings)


def add_signature(
    engine: Engine,
    settings: Settings,
    account: str,
    name: str,
    vendor_id: str | None,
    who: str,
    *,
    draft: bool = False,
) -> tuple[Signature, bool]:
    """Add a signature of an account; return it, and whether it is new.

    One with this name and vendor's id stays in the state that it is in. Raises `Refused`.
    """
    bare_name = template_rules.bare_name(name)
    problems = _account_problems(settings, account)
    problems += template_rules.signature_problems(bare_name)
    problems += template_rules.vendor_id_problems(vendor_id)
    if problems:
        raise Refused(problems)
    state = _first_state(draft=draft)
    with database.writing(engine) as connection:
        return signatures.add(connection, account, bare_name, vendor_id, state, who)


def bind(engine: Engine, settings: Settings, new_binding: NewBinding, who: str) -> AddedBinding:
    """Say how an account sends a version of a template.

    Raises `NotFound` when there is no such template or version, `Refused` for anything else.
    """
    problems = _account_problems(settings, new_binding.account)
    problems += template_rules.vendor_id_problems(new_binding.vendor_id)
    if problems:
        raise Refused(problems)
    with database.writing(engine) as connection:
        template = find_version(connection, new_binding.key, new_binding.version)
        _check_vendor_id(settings.accounts[new_binding.account], new_binding.vendor_id)
        plan = _plan(new_binding, template.body)
        _check_limits(new_binding.limits, template)
        signature = _signature(connection, new_binding.account, new_binding.signature)
        terms = BindingTerms(
            new_binding.account,
            plan,
            new_binding.vendor_id,
            signature.id if signature else None,
            new_binding.limits,
        )
        state = _first_state(draft=new_binding.draft)
        binding, is_new = bindings.add(connection, template.id, terms, state, who)
    return AddedBinding(binding, is_new, _doubts(settings, template, binding))


def move_binding(
    engine: Engine,
    binding_id: int,
    state: RegistrationState,
    who: str,
    why: str | None,
    accounts: Collection[str] | None = None,
) -> tuple[Binding, bool]:
    """Move a binding to a state; return it, and whether it was in another one.

    Raises `NotFound` when there is none, or when it is of none of `accounts`.
    """
    with database.writing(engine) as connection:
        binding = bindings.find(connection, binding_id)
        if binding is None or not _is_among(binding.terms.account, accounts):
            msg = f"there is no binding {binding_id}"
            raise NotFound(msg)
        is_moved = bindings.set_state(connection, binding_id, state, who, why)
        return bindings.find(connection, binding_id) or binding, is_moved


def move_signature(
    engine: Engine,
    signature_id: int,
    state: RegistrationState,
    who: str,
    why: str | None,
    accounts: Collection[str] | None = None,
) -> tuple[Signature, bool]:
    """Move a signature to a state; return it, and whether it was in another one.

    Raises `NotFound` when there is none, or when it is of none of `accounts`.
    """
    with database.writing(engine) as connection:
        signature = signatures.find(connection, signature_id)
        if signature is None or not _is_among(signature.account, accounts):
            msg = f"there is no signature {signature_id}"
            raise NotFound(msg)
        is_moved = signatures.set_state(connection, signature_id, state, who, why)
        return signatures.find(connection, signature_id) or signature, is_moved


def find_version(connection: Connection, key: str, version: int | None) -> TemplateVersion:
    """Return a version of a template, the newest for None. Raises `NotFound`, naming near keys."""
    newest = versions.newest(connection, key)
    if newest is None:
        msg = f"there is no such template; {_near(key, versions.keys(connection))}"
        raise NotFound(msg)
    if version is None:
        return newest
    template = versions.find(connection, key, version)
    if template is None:
        msg = f"the template {key} has no version {version}; its newest is {newest.version}"
        raise NotFound(msg)
    return template


def _near(key: str, keys: Sequence[str]) -> str:
    """Return the keys that may be meant, or else the first of all."""
    if nearest := difflib.get_close_matches(key, keys, 3, 0.6):
        return f"did you mean {' or '.join(nearest)}?"
    shown = ", ".join(keys[:MAX_SHOWN_KEYS]) + (" …" if len(keys) > MAX_SHOWN_KEYS else "")
    return f"there are {shown}" if keys else "none has been added yet"


def _is_among(account: str, accounts: Collection[str] | None) -> bool:
    return accounts is None or account in accounts


def _first_state(*, draft: bool) -> RegistrationState:
    return RegistrationState.DRAFT if draft else RegistrationState.APPROVED


def _account_problems(settings: Settings, account: str) -> list[Problem]:
    if account in settings.accounts:
        return []
    names = ", ".join(settings.accounts) or "none is configured"
    return [Problem("account", f"there is no {account!r}; the accounts are: {names}")]


def _plan(new_binding: NewBinding, body: str) -> ParameterPlan:
    """Return the plan of a binding. Raises `Refused`."""
    kind, vendor_id = new_binding.plan, new_binding.vendor_id
    if kind is None and vendor_id is not None:
        what = "is missing: say how the vendor takes values, as object, positions, groups or text"
        raise Refused([Problem("plan", what)])
    kind = kind or PlanKind.TEXT
    if kind in {PlanKind.OBJECT, PlanKind.POSITIONS} and vendor_id is None:
        what = f"is missing: by the plan {kind.value} the vendor fills in a template of its own"
        raise Refused([Problem("vendor_id", what)])
    return parameter_plans.parse(kind, new_binding.parameters, body)


def _check_vendor_id(account: Account, vendor_id: str | None) -> None:
    """Raise `Refused` where a gateway knows no templates of its own, or nothing else."""
    capabilities = account.gateway.capabilities
    if vendor_id is not None and not capabilities.templates:
        what = f"has to be left out: the gateway of {account.name} takes whole texts alone"
    elif vendor_id is None and not capabilities.texts:
        what = f"is missing: the gateway of {account.name} takes templates of its own alone"
    else:
        return
    raise Refused([Problem("vendor_id", what)])


def _check_limits(limits: Mapping[str, ValueLimits], template: TemplateVersion) -> None:
    """Raise `Refused` for limits of values that a template has not, or that none can meet."""
    names = ordered_names(template.body)
    have = f"version {template.version} has {', '.join(names) or 'no values'}"
    problems = [
        Problem(f"limits.{name}", f"there is no such value; {have}")
        for name in limits
        if name not in names
    ]
    for name, value_limits in limits.items():
        problems += limit_problems(f"limits.{name}", value_limits)
    if problems:
        raise Refused(problems)


def _signature(connection: Connection, account: str, given: str | None) -> Signature | None:
    """Return the signature of an account that is meant by a name or an id. Raises `Refused`."""
    if given is None:
        return None
    name = template_rules.bare_name(given)
    matches = signatures.list_signatures(connection, account, name)
    if not matches and given.isascii() and given.isdigit():
        stored = signatures.list_signatures(connection, account)
        matches = [signature for signature in stored if str(signature.id) == given]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(f"{row.id} ({row.vendor_id or 'without an id'})" for row in matches)
        what = f"{account} has several 【{name}】, by the vendor's ids; give one by its id: {ids}"
    else:
        stored = signatures.list_signatures(connection, account)
        names = "".join(f"【{row.name}】" for row in stored) or "none; add it first"
        what = f"{account} has no such signature; it has {names}"
    raise Refused([Problem("signature", what)])


def _doubts(settings: Settings, template: TemplateVersion, binding: Binding) -> list[Problem]:
    """Return what a person should know of a binding; it holds nothing up."""
    name, served_class = binding.terms.account, template.message_class.value
    account = settings.accounts[name]
    added_signature = account.settings.added_signature
    doubts = []
    if not account.settings.serves(template.message_class):
        what = f"{name} does not serve {served_class}: it carries what names the account alone"
        doubts.append(Problem("account", what))
    is_whole_text = binding.terms.plan.kind is PlanKind.TEXT
    if binding.terms.signature_id is not None and added_signature and is_whole_text:
        what = f"{name} adds {added_signature} itself to whole texts: two are sent"
        doubts.append(Problem("signature", what))
    if binding.terms.signature_id is None and not added_signature:
        what = f"none is named, and none is known that {name} would add: most vendors refuse that"
        doubts.append(Problem("signature", what))
    return doubts
