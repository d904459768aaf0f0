"""An account at the sandbox's Alibaba Cloud, and a template that is bound to it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from tests.support.stage import QUICK, Stage, mobiles
from worker.domain.enums import MessageClass, PlanKind, RegistrationState
from worker.domain.renderings import ParameterPlan
from worker.intake import campaigns
from worker.intake.enqueue import EnqueueRequest
from worker.intake.recipient_rows import Row
from worker.store.db.database import reading, writing
from worker.store.schema.tables import submission
from worker.store.templates import bindings, signatures, versions
from worker.store.templates.bindings import BindingTerms

NAME = "aliyun"
SECRET = "aliyun-demo-secret"
#: A template at the vendor, for notices, and one for codes.
NOTICE, CODE = "SMS_1001", "SMS_1002"
BODY = "{name}，您的订单{no}已发货"
SIGNATURE = "信使"
VENDOR_TEMPLATES = {
    NOTICE: "${name}，您的订单${no}已发货",
    CODE: "您的验证码是${code}，请勿泄露。",
}


def section(stage: Stage, **more: Any) -> dict[str, Any]:
    """Return the account's section of the configuration."""
    return {
        **QUICK,
        "gateway": NAME,
        "base_url": stage.sandbox.url(NAME),
        "access_key_id": "LTAIdemo",
        "access_key_secret": SECRET,
        "signature": SIGNATURE,
        **more,
    }


def vendor(stage: Stage) -> None:
    """Have the vendor know its templates and the signature, and keep its limits."""
    stage.sandbox.control.options(
        NAME,
        templates=VENDOR_TEMPLATES,
        signatures=[SIGNATURE],
        code_templates=[CODE],
        number_limits=True,
    )


def bind(stage: Stage, account: str = "ali") -> int:
    """Register the notice and bind it to the account; return the binding's id."""
    plan = ParameterPlan(PlanKind.OBJECT, (("name", "name"), ("no", "no")))
    approved = RegistrationState.APPROVED
    with writing(stage.engine) as connection:
        version, _ = versions.add(connection, "shipped", MessageClass.NOTICE, BODY, {}, "test")
        signature, _ = signatures.add(connection, account, SIGNATURE, None, approved, "test")
        terms = BindingTerms(account, plan, NOTICE, signature.id, {})
        stored, _ = bindings.add(connection, version.id, terms, approved, "test")
    return stored.id


def binding_state(stage: Stage, binding_id: int) -> RegistrationState:
    """Return the state of a binding."""
    with reading(stage.engine) as connection:
        stored = bindings.find(connection, binding_id)
    assert stored is not None
    return stored.state


def campaign(stage: Stage, count: int) -> int:
    """Load and start a campaign of the notice, in which each recipient has values of its own."""
    rows = (
        Row(n + 1, msisdn, {"name": f"客{n}", "no": f"N{n}"})
        for n, msisdn in enumerate(mobiles(count))
    )
    request = EnqueueRequest((), template="shipped", message_class=MessageClass.NOTICE)
    loaded = campaigns.create(stage.engine, stage.settings, "t", request, rows, start=True)
    assert loaded.bad_rows == []
    return loaded.id


def submissions(stage: Stage) -> Sequence[Any]:
    """Return all submissions, the oldest first."""
    with reading(stage.engine) as connection:
        return list(connection.execute(select(submission).order_by(submission.c.id)))
