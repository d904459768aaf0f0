"""Codes through Tencent Cloud with Alibaba Cloud behind it: one resend, and never a third try."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.support import aliyun
from tests.support.stage import QUICK, Stage, eventually, mobiles
from worker.domain.enums import MessageClass, PlanKind, RegistrationState
from worker.domain.renderings import ParameterPlan
from worker.intake.enqueue import Enqueued
from worker.settlement import ledger, queries
from worker.store.db.database import reading, writing
from worker.store.schema.tables import submission
from worker.store.templates import bindings, signatures, versions
from worker.store.templates.bindings import BindingTerms

TENCENT = {
    "gateway": "tencent",
    "sdk_app_id": "1400006666",
    "secret_id": "1400006666",
    "secret_key": "sandbox-secret-key",
    "signature": aliyun.SIGNATURE,
}
BODY = "您的验证码是{code}，请勿泄露。"
#: Where the template goes: the account, its plan, the vendor's id.
BOUND = (
    ("ten", ParameterPlan(PlanKind.POSITIONS, (("1", "code"),)), "1110"),
    ("ali", ParameterPlan(PlanKind.OBJECT, (("code", "code"),)), aliyun.CODE),
)


@pytest.fixture
def kind() -> str:
    """SQLite: what is tested is the choice of accounts, which is the same on all databases."""
    return "sqlite"


@pytest.fixture(autouse=True)
def _accounts(stage: Stage) -> None:
    aliyun.vendor(stage)
    stage.sandbox.control.options("tencent", templates={"1110": "您的验证码是{1}，请勿泄露。"})
    stage.configure(
        accounts={
            "ten": {
                **QUICK,
                **TENCENT,
                "base_url": stage.sandbox.url("tencent"),
                "priority": 10,
                "per_msisdn": ["usual"],
                "reports": "none",
                "timeout": "1s",
            },
            "ali": aliyun.section(stage, per_msisdn=["otp"], reports="none", timeout="1s"),
        }
    )
    stage.prove()
    approved = RegistrationState.APPROVED
    with writing(stage.engine) as connection:
        version, _ = versions.add(connection, "code", MessageClass.OTP, BODY, {}, "test")
        for account, plan, gateway_template in BOUND:
            signature, _ = signatures.add(
                connection, account, aliyun.SIGNATURE, None, approved, "test"
            )
            terms = BindingTerms(account, plan, gateway_template, signature.id, {})
            bindings.add(connection, version.id, terms, approved, "test")


def send(stage: Stage, code: str) -> Enqueued:
    """Send a code to the same number each time."""
    return stage.enqueue(
        mobiles(1), "", template="code", variables={"code": code}, message_class=MessageClass.OTP
    )


def accounts_called(stage: Stage) -> list[str]:
    """Return the account of each submission, the oldest first."""
    with reading(stage.engine) as connection:
        rows = connection.execute(select(submission.c.account).order_by(submission.c.id))
        return list(rows.scalars())


def calls(stage: Stage) -> Counter[Any]:
    """Count the calls to send, by gateway, whatever became of them."""
    return Counter(entry.gateway for entry in stage.sandbox.entries() if entry.call == "SendSms")


def check_ledger(stage: Stage) -> None:
    """Compare the database with what the gateways really took."""
    assert isinstance(stage.sandbox.ledger, Path)
    with reading(stage.engine) as connection:
        _, findings = ledger.compare(connection, stage.settings, stage.sandbox.ledger)
    assert [finding for finding in findings if finding.broken] == []


def test_a_code_without_an_answer_goes_once_more_by_the_other_vendor_and_never_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both took it and lost their answers. Asked what the number was sent, they say so."""
    monkeypatch.setattr(queries, "ASK_EVERY", 0.1)
    monkeypatch.setattr(queries, "FIRST_PAUSE", 0.2)
    for gateway in ("tencent", "aliyun"):
        stage.sandbox.control.rule("take_then_close", gateway=gateway, call="SendSms")
    made = send(stage, "4370")
    with stage.working():
        eventually(lambda: accounts_called(stage) == ["ten", "ali"])
        eventually(lambda: stage.states(made) == {"submitted": 1})
        # Once another code has ended, the lane has looked at all that is due.
        stage.sandbox.control.clear()
        other = stage.enqueue(
            mobiles(1, 7),
            "",
            template="code",
            variables={"code": "1"},
            message_class=MessageClass.OTP,
        )
        eventually(lambda: stage.states(other) == {"submitted": 1})
    assert accounts_called(stage) == ["ten", "ali", "ten"]
    assert calls(stage) == {"tencent": 2, "aliyun": 1}
    assert stage.taken() == Counter({mobiles(1)[0]: 2, mobiles(1, 7)[0]: 1})
    check_ledger(stage)
