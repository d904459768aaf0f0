"""Templates, signatures and bindings as tests add them."""

from sqlalchemy import Connection

from worker.domain.enums import MessageClass, PlanKind, RegistrationState
from worker.domain.renderings import ParameterPlan
from worker.store.templates import bindings, signatures, versions
from worker.store.templates.bindings import Binding, BindingTerms
from worker.store.templates.signatures import Signature
from worker.store.templates.versions import TemplateVersion

WHO = "ada"
PLAN = ParameterPlan(PlanKind.TEXT)
APPROVED = RegistrationState.APPROVED


def add_version(
    connection: Connection, body: str = "您的验证码是{code}", key: str = "login"
) -> TemplateVersion:
    """Add a version of a template, and return it."""
    return versions.add(connection, key, MessageClass.OTP, body, {}, WHO)[0]


def bind(
    connection: Connection,
    version: TemplateVersion,
    account: str = "main",
    vendor_id: str | None = None,
    *,
    signature: Signature | None = None,
    state: RegistrationState = APPROVED,
) -> Binding:
    """Bind a version to an account, and return the binding."""
    terms = BindingTerms(account, PLAN, vendor_id, signature.id if signature else None)
    return bindings.add(connection, version.id, terms, state, WHO)[0]


def add_signature(
    connection: Connection,
    name: str = "云雀商城",
    account: str = "main",
    state: RegistrationState = APPROVED,
) -> Signature:
    """Add a signature, and return it."""
    return signatures.add(connection, account, name, None, state, WHO)[0]
