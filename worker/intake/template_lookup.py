"""Look templates, signatures and bindings up: as JSON shows them, and filled with values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.domain import parameter_plans, placeholders
from worker.domain.errors import NotFound, Problem
from worker.domain.renderings import Rendering, ValueLimits
from worker.gateways import contents
from worker.gateways.base import Content
from worker.intake.lookup import iso_time
from worker.intake.templates import find_version
from worker.policy import eligibility
from worker.store.templates import bindings, signatures, usable, versions
from worker.store.templates.bindings import Binding
from worker.store.templates.signatures import Signature
from worker.store.templates.versions import TemplateVersion


@dataclass(frozen=True, slots=True)
class TemplateRecord:
    """A template: its versions, the newest first, and their bindings."""

    versions: list[TemplateVersion]
    bindings: list[Binding]
    #: The version that is sent now; None when no account may send any.
    usable_version: int | None

    def version_of(self, binding: Binding) -> TemplateVersion:
        """Return the version that a binding binds."""
        return next(version for version in self.versions if version.id == binding.template_id)


@dataclass(frozen=True, slots=True)
class BindingPreview:
    """What a recipient reads by a binding, and its billed parts; and why it cannot be sent so."""

    binding: Binding
    text: str | None
    segments: int | None
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class TemplateSummary:
    """A template as senders see it: the version that is sent now, else the newest."""

    template: TemplateVersion
    is_usable: bool


def summaries(
    connection: Connection, accounts: Collection[str] | None = None
) -> list[TemplateSummary]:
    """Return all templates as senders see them, in the order of their keys.

    `accounts` are those that may carry them; None is any.
    """
    sent_versions = usable.usable_keys(connection, accounts)
    return [
        _summary(connection, newest, sent_versions.get(newest.key))
        for newest in versions.list_newest(connection)
    ]


def summary(
    connection: Connection, key: str, accounts: Collection[str] | None = None
) -> TemplateSummary:
    """Return one template as senders see it. Raises `NotFound`, naming near keys."""
    newest = find_version(connection, key, None)
    sendable = usable.usable_versions(connection, key, accounts)
    return _summary(connection, newest, sendable[0] if sendable else None)


def _summary(
    connection: Connection, newest: TemplateVersion, sent_version: int | None
) -> TemplateSummary:
    if sent_version is None or sent_version == newest.version:
        return TemplateSummary(newest, sent_version is not None)
    sent = versions.find(connection, newest.key, sent_version)
    return TemplateSummary(sent or newest, is_usable=True)


def find_template(
    connection: Connection, key: str, accounts: Collection[str] | None = None
) -> TemplateRecord:
    """Return a template with its versions and bindings. Raises `NotFound`, naming near keys.

    `accounts` are those that may carry it, whose bindings are shown; None is any.
    """
    stored = versions.versions_of(connection, key)
    if not stored:
        find_version(connection, key, None)
    rows = bindings.list_bindings(connection, [version.id for version in stored])
    shown = [row for row in rows if accounts is None or row.terms.account in accounts]
    sendable = usable.usable_versions(connection, key, accounts)
    return TemplateRecord(stored[::-1], shown, sendable[0] if sendable else None)


def find_signature(
    connection: Connection, signature_id: int, accounts: Collection[str] | None = None
) -> tuple[Signature, list[Binding]]:
    """Return a signature with the bindings that it goes with. Raises `NotFound`."""
    signature = signatures.find(connection, signature_id)
    if signature is None or not (accounts is None or signature.account in accounts):
        msg = f"there is no signature {signature_id}"
        raise NotFound(msg)
    return signature, bindings.with_signature(connection, signature_id)


def preview(
    settings: Settings, record: TemplateRecord, version: int, values: Mapping[str, str]
) -> list[BindingPreview]:
    """Return what a version comes to with some values, by each of its bindings."""
    return [
        _preview(settings, record.version_of(binding), binding, values)
        for binding in record.bindings
        if binding.version == version
    ]


def _preview(
    settings: Settings, template: TemplateVersion, binding: Binding, values: Mapping[str, str]
) -> BindingPreview:
    terms = binding.terms
    rendering = Rendering(
        binding.id,
        terms.account,
        template.body,
        terms.plan,
        terms.vendor_id,
        signature=binding.signature_name,
        limits=(template.limits, terms.limits),
    )
    problems = rendering.problems(values)
    if problems:
        return BindingPreview(binding, None, None, problems)
    text = rendering.text(values)
    account = settings.accounts.get(terms.account)
    if account is None:
        problem = Problem("account", f"{terms.account} is not configured")
        return BindingPreview(binding, text, None, [problem])
    content = contents.rendered(Content(template.body), rendering, values)
    return BindingPreview(
        binding,
        text,
        contents.segment_count(account, content),
        eligibility.problems(account, content, (), template.message_class),
    )


def template_json(template: TemplateVersion) -> dict[str, Any]:
    """Return a version as JSON shows it."""
    return {
        "template": template.key,
        "version": template.version,
        "class": template.message_class.value,
        "body": template.body,
        "values": placeholders.ordered_names(template.body),
        "limits": _limits_json(template.limits),
        "created_at": iso_time(template.created_at),
        "who": template.who,
    }


def binding_json(binding: Binding) -> dict[str, Any]:
    """Return a binding as JSON shows it."""
    terms = binding.terms
    return {
        "id": binding.id,
        "template": binding.key,
        "version": binding.version,
        "account": terms.account,
        "vendor_id": terms.vendor_id,
        "plan": terms.plan.kind.value,
        "parameters": parameter_plans.show(terms.plan),
        "signature_id": terms.signature_id,
        "signature": binding.signature_name,
        "signature_state": binding.signature_state and binding.signature_state.value,
        "limits": _limits_json(terms.limits),
        "state": binding.state.value,
        "usable": binding.is_usable,
        "since": iso_time(binding.since),
        "who": binding.who,
        "why": binding.why,
    }


def signature_json(signature: Signature) -> dict[str, Any]:
    """Return a signature as JSON shows it."""
    return {
        "id": signature.id,
        "account": signature.account,
        "name": signature.name,
        "vendor_id": signature.vendor_id,
        "state": signature.state.value,
        "since": iso_time(signature.since),
        "who": signature.who,
        "why": signature.why,
    }


def _limits_json(limits: Mapping[str, ValueLimits]) -> dict[str, dict[str, Any]]:
    return {name: value_limits._asdict() for name, value_limits in limits.items()}
