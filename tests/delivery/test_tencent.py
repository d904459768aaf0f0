"""Tencent Cloud SMS from end to end: templates, each number's own fate, limits, doubts, reports.

The sandbox's side checks every signature; its ledger says what was taken.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from tests.support.stage import QUICK, Stage, eventually, mobiles
from worker.domain.enums import MessageClass, PlanKind, RegistrationState
from worker.domain.renderings import ParameterPlan
from worker.intake import campaigns
from worker.intake.enqueue import EnqueueRequest
from worker.intake.recipient_rows import Row
from worker.sandbox import taken as taken_messages
from worker.settlement import ledger, queries
from worker.store import accounts as account_rows
from worker.store.db.database import reading, writing
from worker.store.schema.tables import event, inbound_message, opt_out, submission
from worker.store.templates import bindings, signatures, versions
from worker.store.templates.bindings import BindingTerms

NAME = "tencent"
LOGIN = {
    "gateway": NAME,
    "sdk_app_id": "1400006666",
    "secret_id": "1400006666",
    "secret_key": "sandbox-secret-key",
    "signature": "信使",
}
BODY = "验证码{code}，{minutes}分钟内有效"
PLAN = ParameterPlan(PlanKind.POSITIONS, (("1", "code"), ("2", "minutes")))
VALUES = {"code": "4370", "minutes": "5"}
TEMPLATE = {"template": "code", "variables": VALUES}
NOTICE = MessageClass.NOTICE
ONE_DATABASE = pytest.mark.parametrize("kind", ["sqlite"])


def configure(
    stage: Stage, *, proven: bool = True, message_class: MessageClass = NOTICE, **more: Any
) -> int:
    """Configure one account, bind a template to it, and return the binding's id."""
    section = {**QUICK, **LOGIN, "base_url": stage.sandbox.url(NAME), "concurrency": 4, **more}
    stage.configure(accounts={"cloud": section})
    options(stage, templates={"1110": "验证码{1}，{2}分钟内有效"})
    if proven:
        stage.prove()
    approved = RegistrationState.APPROVED
    with writing(stage.engine) as connection:
        version, _ = versions.add(connection, "code", message_class, BODY, {}, "test")
        signature, _ = signatures.add(connection, "cloud", "信使科技", None, approved, "test")
        terms = BindingTerms("cloud", PLAN, "1110", signature.id, {})
        binding, _ = bindings.add(connection, version.id, terms, approved, "test")
    return binding.id


def options(stage: Stage, **values: Any) -> None:
    stage.sandbox.control.options(NAME, **values)


def check_ledger(stage: Stage) -> None:
    """Compare the database with what the gateway really took."""
    with reading(stage.engine) as connection:
        _, findings = ledger.compare(connection, stage.settings, stage.sandbox.ledger)
    assert [finding for finding in findings if finding.broken] == []


def calls(stage: Stage) -> list[int]:
    """Return the sizes of the submissions that were taken, in their order."""
    return [len(line.taken) for line in stage.lines(NAME)]


def events(stage: Stage, name: str) -> int:
    with reading(stage.engine) as connection:
        return len(connection.execute(select(event.c.id).where(event.c.name == name)).all())


@pytest.mark.parametrize("size", [1, 200, 201])
def test_a_template_goes_to_as_many_as_a_call_takes(stage: Stage, size: int) -> None:
    """One set of values for all; each report names its message by the SerialNo."""
    configure(stage, proven=size != 1)
    made = stage.enqueue(mobiles(size), "", **TEMPLATE)
    with stage.working():
        eventually(lambda: stage.states(made) == {"delivered": size})
    assert sorted(calls(stage)) == ([1, 200] if size == 201 else [size])
    assert stage.taken() == Counter(mobiles(size))
    (line, *_) = stage.lines(NAME)
    assert line.text == "【信使科技】验证码4370，5分钟内有效"
    check_ledger(stage)


@ONE_DATABASE
def test_a_template_that_is_not_registered_goes_with_the_accounts_own_signature(
    stage: Stage,
) -> None:
    configure(stage)
    stage.enqueue(
        mobiles(1), "", account="cloud", template="1110", variables={"2": "5", "1": "4370"}
    )
    with stage.working():
        eventually(lambda: calls(stage) == [1])
    assert stage.lines(NAME)[0].text == "【信使】验证码4370，5分钟内有效"


@ONE_DATABASE
def test_values_of_their_own_go_in_calls_of_their_own(stage: Stage) -> None:
    """Equal values share a call; the plan says their order, whatever their names."""
    configure(stage, reports="none")
    values = [{"minutes": "5", "code": f"{n % 3}"} for n in range(9)]
    rows = [Row(n + 1, to, values[n]) for n, to in enumerate(mobiles(9))]
    request = EnqueueRequest((), template="code", message_class=NOTICE)
    loaded = campaigns.create(stage.engine, stage.settings, "t", request, rows, start=True)
    with stage.working():
        eventually(lambda: campaigns.show(stage.engine, loaded.id).states == {"submitted": 9})
    assert stage.sandbox.ledger is not None
    texts = {message.msisdn: message.text for message in taken_messages(stage.sandbox.ledger)}
    assert texts == {
        to: f"【信使科技】验证码{n % 3}，5分钟内有效" for n, to in enumerate(mobiles(9))
    }
    check_ledger(stage)


@ONE_DATABASE
@pytest.mark.parametrize(
    ("code", "state", "seconds"),
    [
        ("LimitExceeded.PhoneNumberThirtySecondLimit", "queued", (25, 40)),
        ("LimitExceeded.PhoneNumberOneHourLimit", "queued", (3500, 4000)),
        ("LimitExceeded.DeliveryFrequencyLimit", "delivered", None),
        ("FailedOperation.MarketingSendTimeConstraint", "delivered", None),
        ("RequestLimitExceeded", "delivered", None),
        ("InvalidParameterValue.IncorrectPhoneNumber", "rejected", None),
        ("FailedOperation.PhoneNumberInBlacklist", "rejected", None),
        ("InternalError.Timeout", "unknown", None),
    ],
)
def test_a_code_of_one_number_is_about_that_number(
    stage: Stage, code: str, state: str, seconds: tuple[int, int] | None
) -> None:
    """The others of the call are delivered; what is refused once for now goes afterwards."""
    configure(stage)
    one = mobiles(1)[0]
    options(stage, codes={one: code}, codes_once=True, hides=True)
    made = stage.enqueue(mobiles(3), "", **TEMPLATE)
    wanted = {"delivered": 3} if state == "delivered" else {"delivered": 2, state: 1}
    with stage.working():
        eventually(lambda: stage.states(made) == wanted)
    if state != "delivered":
        assert stage.message(made).code == code
    if seconds is not None:
        with reading(stage.engine) as connection:
            query = select(submission.c.next_at).where(submission.c.state == "planned")
            next_at = connection.execute(query).scalar_one()
        wait = (next_at - datetime.now(UTC)).total_seconds()
        assert seconds[0] <= wait <= seconds[1]
    if state != "unknown":
        check_ledger(stage)


@ONE_DATABASE
@pytest.mark.parametrize("bad", ["19999992001", "19999992101", "19999992201"])
def test_a_bad_number_is_refused_alone(stage: Stage, bad: str) -> None:
    """Whether the whole call is refused for it, or its row alone says so."""
    configure(stage)
    made = stage.enqueue([*mobiles(3), bad], "", **TEMPLATE)
    with stage.working():
        eventually(lambda: stage.states(made) == {"delivered": 3, "rejected": 1})
    assert stage.message(made, 3).state.value == "rejected"
    assert stage.taken() == Counter(mobiles(3))
    check_ledger(stage)


@ONE_DATABASE
@pytest.mark.parametrize(
    "code",
    ["LimitExceeded.PhoneNumberDailyLimit", "LimitExceeded.PhoneNumberSameContentDailyLimit"],
)
def test_a_number_that_waits_for_longer_than_it_is_valid_is_rejected(
    stage: Stage, code: str
) -> None:
    configure(stage, message_class=MessageClass.OTP)
    options(stage, codes={mobiles(1)[0]: code})
    made = stage.enqueue(mobiles(2), "", message_class="otp", **TEMPLATE)
    with stage.working():
        eventually(lambda: stage.states(made) == {"delivered": 1, "rejected": 1})
    assert stage.message(made).code == code


@ONE_DATABASE
@pytest.mark.parametrize(
    "code",
    [
        "LimitExceeded.AppDailyLimit",
        "FailedOperation.InsufficientBalanceInSmsPackage",
        "UnauthorizedOperation.SerivceSuspendDueToArrears",
    ],
)
def test_what_the_account_is_at_fault_for_holds_it(stage: Stage, code: str) -> None:
    """Whether it stands beside one number or answers the whole call."""
    configure(stage)
    options(stage, codes={mobiles(1)[0]: code})
    made = stage.enqueue(mobiles(1), "", **TEMPLATE)
    with stage.working():
        eventually(lambda: events(stage, "account.held") == 1)
    assert stage.states(made) == {"queued": 1}
    with reading(stage.engine) as connection:
        held = account_rows.states(connection)["cloud"]
    assert held.held_code == code
    assert stage.taken() == Counter()


@ONE_DATABASE
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"secret_key": "another"}, "AuthFailure.SignatureFailure"),
        ({"secret_id": "1"}, "AuthFailure.SecretIdNotFound"),
        ({"sdk_app_id": "1400000001"}, "InvalidParameterValue.SdkAppIdNotExist"),
    ],
)
def test_a_wrong_login_is_asked_with_once(stage: Stage, wrong: dict[str, str], code: str) -> None:
    configure(stage, proven=False, check_balance_every="1h", reports="none", **wrong)
    made = stage.enqueue(mobiles(5), "", **TEMPLATE)
    with stage.working():
        eventually(lambda: events(stage, "account.held") >= 1)
    assert stage.states(made) == {"queued": 5}
    with reading(stage.engine) as connection:
        assert account_rows.states(connection)["cloud"].held_code == code


@ONE_DATABASE
def test_a_signature_at_fault_pauses_its_binding(stage: Stage) -> None:
    binding_id = configure(stage)
    options(stage, signatures=["别的签名"])
    stage.enqueue(mobiles(2), "", **TEMPLATE)
    with stage.working():
        eventually(lambda: events(stage, "binding.paused") == 1)
    with reading(stage.engine) as connection:
        stored = bindings.find(connection, binding_id)
    assert stored is not None
    assert stored.state is RegistrationState.PAUSED
    assert stage.taken() == Counter()


@ONE_DATABASE
def test_a_lost_answer_is_settled_by_the_session_that_a_query_shows(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each number of the call is asked about; a row without the session proves nothing."""
    monkeypatch.setattr(queries, "ASK_EVERY", 0.1)
    monkeypatch.setattr(queries, "FIRST_PAUSE", 0.2)
    configure(stage, reports="none", timeout="1s")
    options(stage, query_session=False)
    rule = {"gateway": NAME, "call": "SendSms", "count": 1}
    stage.sandbox.control.rule("take_then_close", **rule)
    made = stage.enqueue(mobiles(5), "", **TEMPLATE)
    asked = ("calls", NAME, "PullSmsSendStatusByPhoneNumber")

    def queried() -> int:
        state: Any = stage.sandbox.control.state()
        return sum(state[asked[0]].get(asked[1], {}).get(asked[2], {}).values())

    with stage.working():
        eventually(lambda: queried() >= 5)
        assert stage.states(made) == {"unknown": 5}
        options(stage, query_session=True)
        eventually(lambda: stage.states(made) == {"submitted": 5})
    assert stage.taken() == Counter(mobiles(5))
    check_ledger(stage)


@ONE_DATABASE
@pytest.mark.parametrize(
    ("echo", "setting", "state"),
    [(False, False, "unknown"), (True, False, "delivered"), (True, True, "delivered")],
)
def test_a_report_that_brings_our_reference_settles_a_doubt(
    stage: Stage, *, echo: bool, setting: bool, state: str
) -> None:
    """Without it a report names a SerialNo that was lost with the answer: it stays unknown."""
    configure(stage, timeout="1s", session_echo=setting)
    options(stage, session_echo=echo, hides=True)
    stage.sandbox.control.rule("take_then_close", gateway=NAME, call="SendSms", count=1)
    made = stage.enqueue(mobiles(3), "", **TEMPLATE)

    def has_waiting_reports() -> bool:
        waiting = stage.sandbox.control.state()["waiting"]["reports"]
        return bool(waiting.get("tencent/1400006666", 1))

    with stage.working():
        eventually(lambda: stage.states(made) == {state: 3} and not has_waiting_reports())
    assert stage.states(made) == {state: 3}
    assert stage.taken() == Counter(mobiles(3))


@ONE_DATABASE
def test_pulled_replies_opt_out_and_the_balance_is_that_of_live_packages(stage: Stage) -> None:
    stage.sandbox.control.account(NAME, "1400006666", "sandbox-secret-key", funds=1000)
    configure(stage, check_balance_every="0.2s")
    stage.enqueue(mobiles(3), "", **TEMPLATE)
    with stage.working():
        eventually(lambda: len(calls(stage)) == 1)
        stage.sandbox.control.reply(NAME, mobiles(1)[0], "TD", extension="07")
        eventually(lambda: _rows(stage, opt_out.c.msisdn) == [mobiles(1)[0]])

        def remaining() -> list[int | None]:
            with reading(stage.engine) as connection:
                stored = account_rows.states(connection).get("cloud")
            balance = (stored and stored.balance) or {}
            return [pool["remaining"] for pool in balance.get("pools", ())]

        eventually(lambda: remaining() == [997])
    assert _rows(stage, inbound_message.c.extension) == ["07"]


@ONE_DATABASE
def test_pulls_that_support_has_not_switched_on_hold_nothing_up(stage: Stage) -> None:
    configure(stage)
    options(stage, pulls=False)
    made = stage.enqueue(mobiles(3), "", **TEMPLATE)
    with stage.working():
        eventually(lambda: stage.states(made) == {"submitted": 3})
        again = stage.enqueue(mobiles(3, 10), "", **TEMPLATE)
        eventually(lambda: stage.states(again) == {"submitted": 3})
    assert events(stage, "account.held") == 0


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "size"), [("sqlite", 10_000), ("postgresql", 10_000)])
def test_a_campaign_is_delivered_in_full_calls(stage: Stage, size: int) -> None:
    configure(stage, collect_reports_every="1s")
    rows = (Row(n + 1, to, {}) for n, to in enumerate(mobiles(size)))
    request = EnqueueRequest((), template="code", variables=VALUES, message_class=NOTICE)
    loaded = campaigns.create(stage.engine, stage.settings, "t", request, rows, start=True)
    with stage.working():
        eventually(
            lambda: campaigns.show(stage.engine, loaded.id).states == {"delivered": size},
            within=100,
            every=0.2,
        )
    assert stage.taken() == Counter(mobiles(size))
    assert calls(stage).count(200) == size // 200
    check_ledger(stage)


def _rows(stage: Stage, column: Any) -> list[Any]:
    with reading(stage.engine) as connection:
        return list(connection.execute(select(column)).scalars())
