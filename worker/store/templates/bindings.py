"""Read and write bindings: how accounts send versions of templates. Only their state changes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from worker.domain import registrations
from worker.domain.enums import RegistrationState
from worker.domain.renderings import ParameterPlan, ValueLimits
from worker.store import events
from worker.store.db.clock import now
from worker.store.db.dialects import inserted_id
from worker.store.schema.tables import binding, signature, template
from worker.store.templates import versions

#: Who counts the reports that call a binding unregistered, in events.
REPORTS = "reports"


class BindingTerms(NamedTuple):
    """What never changes of a binding: the vendor's id, the plan, the signature, the limits."""

    account: str
    plan: ParameterPlan
    vendor_id: str | None = None
    signature_id: int | None = None
    limits: Mapping[str, ValueLimits] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding, with its template's key and version, and the state of its signature."""

    id: int
    template_id: int
    key: str
    version: int
    terms: BindingTerms
    state: RegistrationState
    since: datetime
    who: str
    why: str | None
    signature_name: str | None = None
    signature_state: RegistrationState | None = None

    @property
    def is_usable(self) -> bool:
        """Whether it may be used: it is approved, and its signature too where it has one."""
        return self.state is RegistrationState.APPROVED and (
            self.terms.signature_id is None or self.signature_state is RegistrationState.APPROVED
        )

    @property
    def obstacle(self) -> str | None:
        """Why it cannot be used, as people read it; None when it can."""
        place = f"binding {self.id} at {self.terms.account}"
        if self.state is not RegistrationState.APPROVED:
            return f"{place} is {registrations.state_words(self.state, self.why)}"
        if self.is_usable:
            return None
        state = self.signature_state.value if self.signature_state else "missing"
        return f"{place} is approved, and its signature 【{self.signature_name or '?'}】 is {state}"


def add(
    connection: Connection,
    template_id: int,
    terms: BindingTerms,
    state: RegistrationState,
    who: str,
) -> tuple[Binding, bool]:
    """Bind a version to an account; return the binding, and whether it is new.

    One with the same terms is returned as it is, in whatever state. Callers at the same moment take
    turns at the version. Raises `LookupError` when there is no such version.
    """
    versions.lock(connection, template_id)
    same = (binding.c.template_id == template_id, binding.c.account == terms.account)
    for stored in _select(connection, *same):
        if stored.terms == terms:
            return stored, False
    insertion = insert(binding).values(
        template_id=template_id,
        account=terms.account,
        vendor_id=terms.vendor_id,
        plan=terms.plan.to_json(),
        signature_id=terms.signature_id,
        limits=versions.stored_limits(terms.limits),
        state=state.value,
        since=now(),
        who=who[:64],
    )
    binding_id = inserted_id(connection.execute(insertion))
    added = find(connection, binding_id)
    if added is None:
        msg = f"there is no template with the id {template_id}"
        raise LookupError(msg)
    _add_event(connection, added, "binding.added", who)
    return added, True


def find(connection: Connection, binding_id: int) -> Binding | None:
    """Return a binding; None when there is none."""
    return next(iter(_select(connection, binding.c.id == binding_id)), None)


def list_bindings(connection: Connection, template_ids: Collection[int]) -> list[Binding]:
    """Return the bindings of some versions, in the order of their ids."""
    return _select(connection, binding.c.template_id.in_(list(template_ids)))


def with_signature(connection: Connection, signature_id: int) -> list[Binding]:
    """Return the bindings that a signature goes with, in the order of their ids."""
    return _select(connection, binding.c.signature_id == signature_id)


def set_state(
    connection: Connection,
    binding_id: int,
    state: RegistrationState,
    who: str,
    why: str | None = None,
) -> bool:
    """Move a binding to a state; False when it is there already, or there is none.

    Reports that called it unregistered before do not count any more.
    """
    return _move(connection, binding_id, state, registrations.sources(state), who, why)


def pause_refused(connection: Connection, binding_id: int, why: str, who: str) -> bool:
    """Pause a binding that its gateway refused in an answer; False when it was not in use."""
    in_use = {RegistrationState.APPROVED}
    return _move(connection, binding_id, RegistrationState.PAUSED, in_use, who, why)


def note_unregistered(connection: Connection, binding_id: int, at: datetime) -> bool:
    """Note a report of `at` that calls a binding unregistered; True when that pauses it.

    The third within ten minutes does. The binding's row is locked until the transaction ends: who
    notes several takes them in the order of their ids. Reports of one message count once, which is
    for the caller to see to.
    """
    query = select(binding.c.state, binding.c.refusals).where(binding.c.id == binding_id)
    row = connection.execute(query.with_for_update()).first()
    if row is None or row.state != RegistrationState.APPROVED.value:
        return False
    times, are_enough = registrations.count_unregistered(row.refusals, at)
    if are_enough:
        why = f"{len(times)} reports within ten minutes call it unregistered"
        return pause_refused(connection, binding_id, why, REPORTS)
    connection.execute(update(binding).where(binding.c.id == binding_id).values(refusals=times))
    return False


def _move(
    connection: Connection,
    binding_id: int,
    state: RegistrationState,
    sources: Collection[RegistrationState],
    who: str,
    why: str | None,
) -> bool:
    moved = connection.execute(
        update(binding)
        .where(
            binding.c.id == binding_id,
            binding.c.state.in_(sorted(source.value for source in sources)),
        )
        .values(
            state=state.value,
            since=now(),
            who=who[:64],
            why=registrations.kept_reason(why),
            refusals=None,
        )
    )
    if moved.rowcount != 1:
        return False
    stored = find(connection, binding_id)
    if stored is not None:
        _add_event(
            connection,
            stored,
            {
                RegistrationState.APPROVED: "binding.resumed",
                RegistrationState.PAUSED: "binding.paused",
                RegistrationState.REFUSED: "binding.refused",
            }[state],
            who,
        )
    return True


def _add_event(connection: Connection, stored: Binding, event_name: str, who: str) -> None:
    detail = {
        "binding": stored.id,
        "template": stored.key,
        "version": stored.version,
        "state": stored.state.value,
        "why": stored.why,
    }
    events.add(connection, event_name, who, account=stored.terms.account, detail=detail)


def _select(connection: Connection, *conditions: ColumnElement[bool]) -> list[Binding]:
    query = (
        select(
            binding,
            template.c.key,
            template.c.version,
            signature.c.name.label("signature_name"),
            signature.c.state.label("signature_state"),
        )
        .join(template, template.c.id == binding.c.template_id)
        .outerjoin(signature, signature.c.id == binding.c.signature_id)
        .where(*conditions)
        .order_by(binding.c.id)
    )
    return [_binding(row) for row in connection.execute(query)]


def _binding(row: Row[Any]) -> Binding:
    terms = BindingTerms(
        row.account,
        ParameterPlan.from_json(row.plan),
        row.vendor_id,
        row.signature_id,
        versions.read_limits(row.limits),
    )
    return Binding(
        row.id,
        row.template_id,
        row.key,
        row.version,
        terms,
        RegistrationState(row.state),
        row.since,
        row.who,
        row.why,
        row.signature_name,
        RegistrationState(row.signature_state) if row.signature_state else None,
    )
