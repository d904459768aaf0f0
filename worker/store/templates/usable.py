"""Read which versions of a template may be sent now, and how each account sends them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from worker.domain.enums import RegistrationState
from worker.domain.renderings import ParameterPlan, Rendering
from worker.store.schema.tables import binding, signature, template
from worker.store.templates import bindings, versions
from worker.store.templates.bindings import Binding
from worker.store.templates.versions import TemplateVersion

_APPROVED = RegistrationState.APPROVED.value
#: How many obstacles are named; there may be one for each binding.
MAX_NAMED_OBSTACLES = 5


@dataclass(frozen=True, slots=True)
class RegisteredTemplate:
    """The version of a template that is sent now, and how; or why none is.

    `template` is the newest version that some account may send, else the newest of all, and
    then `renderings` is empty and `obstacles` says what stands in the way at each of its accounts.
    """

    template: TemplateVersion
    #: In the order of their bindings' ids.
    renderings: tuple[Rendering, ...] = ()
    #: Names accounts: nothing for those who may not know them.
    obstacles: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """Why no account may send it, as people read it; None when some account may.

        It names accounts; `short_problem` does not.
        """
        if self.renderings:
            return None
        named = list(self.obstacles[:MAX_NAMED_OBSTACLES])
        if rest := len(self.obstacles) - len(named):
            named.append(f"and {rest} more")
        reason = "; ".join(named) or "none is bound to it"
        return f"{self.short_problem}: {reason}"

    @property
    def short_problem(self) -> str | None:
        """That no account may send it, without a name of an account; None when some may."""
        if self.renderings:
            return None
        return f"template {self.template.key} is registered, and no account may send it now"


def usable(
    connection: Connection, key: str, version: int, accounts: Collection[str] | None = None
) -> list[Rendering]:
    """Return how accounts may send a version now, in the order of their bindings' ids.

    Those are the approved bindings whose signature is approved, or that have none. `accounts` are
    those that may carry it (configured, and not the one for tests); None is any.
    """
    query = _renderings(accounts).where(template.c.key == key, template.c.version == version)
    return [_rendering(row) for row in connection.execute(query)]


def usable_versions(
    connection: Connection, key: str, accounts: Collection[str] | None = None
) -> list[int]:
    """Return the versions of a template that some account may send now, the newest first."""
    query = _usable_bindings(select(template.c.version).distinct(), accounts)
    query = query.where(template.c.key == key)
    return sorted(connection.execute(query).scalars(), reverse=True)


def newest_usable(
    connection: Connection, key: str, accounts: Collection[str] | None = None
) -> RegisteredTemplate | None:
    """Return the version of a template to send now, with its renderings; None: no such key.

    When no version may be sent, the newest is returned with what stands in the way. `accounts` are
    those that may carry it: a version that only others may send, as the account for tests or one
    that was removed from the configuration, takes no older version's place. None is any.
    """
    usable_of_key = _usable_bindings(select(func.max(template.c.version)), accounts)
    newest = usable_of_key.where(template.c.key == key).scalar_subquery()
    query = _renderings(accounts).where(template.c.key == key, template.c.version == newest)
    rows = connection.execute(query).all()
    if rows:
        return RegisteredTemplate(versions.version_from(rows[0]), tuple(map(_rendering, rows)))
    latest = versions.newest(connection, key)
    if latest is None:
        return None
    stored = bindings.list_bindings(connection, [latest.id])
    obstacles = (_obstacle(row, accounts) for row in stored)
    return RegisteredTemplate(latest, obstacles=tuple(filter(None, obstacles)))


def _obstacle(stored: Binding, accounts: Collection[str] | None) -> str | None:
    """Return why a binding cannot be used; None when it can."""
    if accounts is not None and stored.terms.account not in accounts:
        return f"binding {stored.id} is at {stored.terms.account}, which may not carry it"
    return stored.obstacle


def usable_keys(connection: Connection, accounts: Collection[str] | None = None) -> dict[str, int]:
    """Return the newest version that may be sent now of each template that has one."""
    query = _usable_bindings(
        select(template.c.key, func.max(template.c.version).label("version")), accounts
    )
    rows = connection.execute(query.group_by(template.c.key))
    return {row.key: row.version for row in rows}


def rendering_of(connection: Connection, binding_id: int) -> Rendering | None:
    """Return how a binding renders its template, in use or not; None when there is none."""
    query = _with_bindings(select(*_RENDERING_COLUMNS)).where(binding.c.id == binding_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _rendering(row)


def all_renderings(connection: Connection) -> dict[int, Rendering]:
    """Return every rendering that there was, in use or not, by its binding."""
    query = _with_bindings(select(*_RENDERING_COLUMNS))
    return {row.binding_id: _rendering(row) for row in connection.execute(query)}


def _usable_bindings(query: Select[Any], accounts: Collection[str] | None) -> Select[Any]:
    """Return a query of the templates' table that is joined to the bindings that may be used."""
    if accounts is not None:
        query = query.where(binding.c.account.in_(sorted(accounts)))
    return _with_bindings(query).where(
        binding.c.state == _APPROVED,
        or_(binding.c.signature_id.is_(None), signature.c.state == _APPROVED),
    )


def _with_bindings(query: Select[Any]) -> Select[Any]:
    """Return a query of the templates' table that is joined to bindings and signatures."""
    return (
        query.select_from(template)
        .join(binding, binding.c.template_id == template.c.id)
        .outerjoin(signature, signature.c.id == binding.c.signature_id)
    )


#: What a rendering needs of a template, a binding and a signature.
_RENDERING_COLUMNS = (
    template,
    binding.c.id.label("binding_id"),
    binding.c.account,
    binding.c.plan,
    binding.c.vendor_id.label("vendor_template_id"),
    binding.c.limits.label("vendor_limits"),
    signature.c.name.label("signature_name"),
    signature.c.vendor_id.label("vendor_signature_id"),
)


def _renderings(accounts: Collection[str] | None) -> Select[Any]:
    """Return the query of the bindings that may be used, with what a rendering needs of each."""
    query = _usable_bindings(select(*_RENDERING_COLUMNS), accounts)
    return query.order_by(binding.c.id)


def _rendering(row: Row[Any]) -> Rendering:
    limits = (versions.read_limits(row.limits), versions.read_limits(row.vendor_limits))
    return Rendering(
        row.binding_id,
        row.account,
        row.body,
        ParameterPlan.from_json(row.plan),
        row.vendor_template_id,
        row.signature_name,
        row.vendor_signature_id or None,
        tuple(value_limits for value_limits in limits if value_limits),
    )
