"""Alibaba Cloud end to end: templates to one and to many, limits, refusals, and answers lost."""

from collections import Counter

import pytest

from tests.support import aliyun
from tests.support.aliyun import CODE, NOTICE
from tests.support.stage import Stage, eventually, mobiles
from worker.domain.enums import MessageClass, MessageState, RegistrationState
from worker.intake import campaigns
from worker.sandbox import taken as taken_messages
from worker.settlement import ledger, queries
from worker.store import accounts
from worker.store.accounts import AccountState
from worker.store.db.database import reading

VALUES = {"name": "客", "no": "N1"}
WHOLE = "【信使】客，您的订单N1已发货"


@pytest.fixture
def kind() -> str:
    """SQLite, unless a test asks for others."""
    return "sqlite"


@pytest.fixture(autouse=True)
def _account(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "ASK_EVERY", 0.1)
    monkeypatch.setattr(queries, "FIRST_PAUSE", 0.2)
    aliyun.vendor(stage)
    stage.configure(accounts={"ali": aliyun.section(stage)})
    stage.prove()


def texts_taken(stage: Stage) -> dict[str, str]:
    """Return the text that each number got."""
    assert stage.sandbox.ledger is not None
    return {message.msisdn: message.text for message in taken_messages(stage.sandbox.ledger)}


def check_ledger(stage: Stage) -> None:
    """Compare the database with what the gateway really took."""
    with reading(stage.engine) as connection:
        _, findings = ledger.compare(connection, stage.settings, stage.sandbox.ledger)
    assert [finding for finding in findings if finding.broken] == []


def queries_made(stage: Stage) -> int:
    """Count the calls that asked what a number was sent."""
    return sum(line.call == "QuerySendDetails" for line in stage.sandbox.entries())


def state(stage: Stage) -> AccountState:
    """Return the account as it stands."""
    with reading(stage.engine) as connection:
        return accounts.states(connection).get("ali", AccountState("ali"))


@pytest.mark.parametrize("parameters", ["query", "form"])
def test_a_template_that_a_call_names_is_sent_with_the_accounts_signature(
    stage: Stage, parameters: str
) -> None:
    stage.configure(accounts={"ali": aliyun.section(stage, parameters=parameters)})
    values = {"name": "A+B&C=100% ~*", "no": '"引号"'}
    made = stage.enqueue(mobiles(1), "", account="ali", template=NOTICE, variables=values)
    with stage.working():
        eventually(lambda: stage.states(made) == {"submitted": 1})
    (line,) = stage.lines()
    assert line.text == '【信使】A+B&C=100% ~*，您的订单"引号"已发货'
    assert line.reference
    assert line.id == stage.message(made).gateway_id


def test_a_thousand_with_one_set_of_values_are_one_call(stage: Stage) -> None:
    aliyun.bind(stage)
    made = stage.enqueue(mobiles(1000), "", template="shipped", variables=VALUES)
    with stage.working():
        eventually(lambda: stage.message(made, 999).state is MessageState.SUBMITTED)
    (line,) = stage.lines()
    assert (line.call, line.size) == ("SendSms", 1000)
    assert set(texts_taken(stage).values()) == {WHOLE}
    check_ledger(stage)


@pytest.mark.parametrize(
    "count", [250, pytest.param(10_000, marks=pytest.mark.slow)], ids=["250", "10000"]
)
def test_values_of_their_own_go_a_hundred_in_a_call(stage: Stage, count: int) -> None:
    aliyun.bind(stage)
    campaign_id = aliyun.campaign(stage, count)
    with stage.working():
        eventually(
            lambda: dict(campaigns.show(stage.engine, campaign_id).states) == {"submitted": count},
            within=240,
        )
    lines = stage.lines()
    assert {line.call for line in lines} == {"SendBatchSms"}
    assert max(line.size for line in lines) == 100
    assert texts_taken(stage) == {
        msisdn: f"【信使】客{n}，您的订单N{n}已发货" for n, msisdn in enumerate(mobiles(count))
    }
    check_ledger(stage)


def test_a_number_that_has_had_its_code_waits_for_the_span_that_the_words_name(
    stage: Stage,
) -> None:
    otp = {"account": "ali", "template": CODE, "message_class": MessageClass.OTP}
    with stage.working():
        first = stage.enqueue(mobiles(1), "", variables={"code": "1234"}, **otp)
        eventually(lambda: stage.states(first) == {"submitted": 1})
        again = stage.enqueue(mobiles(1), "", variables={"code": "5678"}, **otp)
        eventually(lambda: aliyun.submissions(stage)[-1].state == "planned")
    *_, refused, waiting = aliyun.submissions(stage)
    assert (refused.state, refused.code) == ("not_sent", "isv.BUSINESS_LIMIT_CONTROL")
    assert 59 < (waiting.next_at - refused.called_at).total_seconds() < 75
    assert stage.states(again) == {"queued": 1}
    assert stage.taken() == Counter(mobiles(1))


def test_a_code_whose_wait_outlives_it_is_rejected(stage: Stage) -> None:
    refusal = {"code": "isv.BUSINESS_LIMIT_CONTROL"}
    stage.sandbox.control.rule("refuse", gateway=aliyun.NAME, args=refusal)
    otp = {"account": "ali", "template": CODE, "message_class": MessageClass.OTP}
    made = stage.enqueue(mobiles(1), "", variables={"code": "1234"}, **otp)
    with stage.working():
        eventually(lambda: stage.states(made) == {"rejected": 1})


def test_one_limited_number_holds_up_no_batch(stage: Stage) -> None:
    """The batch is split until the number is found; nobody gets a second text."""
    words = "触发分钟级流控Permits:1"
    refusal = {"body": f'{{"Code":"isv.BUSINESS_LIMIT_CONTROL","Message":"{words}"}}'}
    stage.sandbox.control.rule(
        "refuse", gateway=aliyun.NAME, numbers=[mobiles(20)[13]], args=refusal
    )
    aliyun.bind(stage)
    made = stage.enqueue(mobiles(20), "", template="shipped", variables=VALUES)
    with stage.working():
        eventually(lambda: stage.states(made) == {"submitted": 19, "queued": 1})
    assert stage.message(made, 13).state is MessageState.QUEUED
    assert stage.taken() == Counter(set(mobiles(20)) - {mobiles(20)[13]})
    check_ledger(stage)


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("isv.SMS_CONTENT_ILLEGAL", "rejected"),
        ("isv.MOBILE_NUMBER_ILLEGAL", "rejected"),
        ("isv.BLACK_KEY_CONTROL_LIMIT", "rejected"),
        ("InvalidVersion", "rejected"),
        ("isp.SYSTEM_ERROR", "unknown"),
        ("isv.NOBODY_KNOWS_IT", "unknown"),
        ("SignatureNonceUsed", "unknown"),
    ],
)
def test_what_a_refusal_makes_of_a_message(stage: Stage, code: str, end: str) -> None:
    stage.sandbox.control.rule("refuse", gateway=aliyun.NAME, call="SendSms", args={"code": code})
    aliyun.bind(stage)
    made = stage.enqueue(mobiles(1), "", template="shipped", variables=VALUES)
    with stage.working():
        eventually(lambda: stage.states(made) == {end: 1})
    assert stage.message(made).code == code
    assert not state(stage).held


def test_a_signature_at_fault_pauses_the_binding_and_the_message_waits(stage: Stage) -> None:
    stage.sandbox.control.options(aliyun.NAME, signatures=["别的"])
    binding = aliyun.bind(stage)
    made = stage.enqueue(mobiles(1), "", account="ali", template="shipped", variables=VALUES)
    with stage.working():
        eventually(lambda: aliyun.binding_state(stage, binding) is RegistrationState.PAUSED)
        eventually(lambda: stage.states(made) == {"queued": 1})


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("isv.AMOUNT_NOT_ENOUGH", True),
        ("isv.DAY_LIMIT_CONTROL", True),
        ("InvalidTimeStamp.Expired", True),
        ("isv.ACCOUNT_ABNORMAL", False),
        ("Forbidden.RAM", False),
    ],
)
def test_an_account_at_fault_is_held_and_the_message_waits(
    stage: Stage, code: str, *, ends: bool
) -> None:
    stage.sandbox.control.rule("refuse", gateway=aliyun.NAME, args={"code": code})
    aliyun.bind(stage)
    made = stage.enqueue(mobiles(1), "", template="shipped", variables=VALUES)
    with stage.working():
        eventually(lambda: state(stage).held_code == code)
    assert stage.states(made) == {"queued": 1}
    assert (state(stage).held_until is not None) == ends


def test_a_wrong_secret_holds_the_account_and_nothing_that_was_signed_is_kept(
    stage: Stage, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The vendor repeats all that was signed: its words are ours instead, wherever they stand."""
    stage.configure(accounts={"ali": aliyun.section(stage, access_key_secret="wrong-secret")})
    values = {"name": "张三丰", "no": "N8731"}
    stage.enqueue(mobiles(1), "", account="ali", template=NOTICE, variables=values)
    with stage.working():
        eventually(lambda: state(stage).held_code == "SignatureDoesNotMatch")
    assert stage.taken() == Counter()
    words = state(stage).held_why
    captured = capsys.readouterr()
    kept = [words, caplog.text, captured.out, captured.err]
    kept += [f"{row.code} {row.words}" for row in aliyun.submissions(stage)]
    for secret in ("wrong-secret", "LTAIdemo", mobiles(1)[0], "张三丰", "N8731", "StringToSign"):
        assert secret not in " ".join(map(str, kept)), secret
    assert words == "签名与服务端计算的不一致"


def test_a_lost_answer_is_settled_by_a_row_with_our_reference(stage: Stage) -> None:
    stage.sandbox.control.options(aliyun.NAME, hides=True)
    stage.sandbox.control.rule("take_then_close", gateway=aliyun.NAME, call="SendSms", count=1)
    aliyun.bind(stage)
    made = stage.enqueue(mobiles(3), "", template="shipped", variables=VALUES)
    with stage.working():
        eventually(lambda: stage.states(made) == {"unknown": 3})
        eventually(lambda: queries_made(stage) > 0)
        assert stage.states(made) == {"unknown": 3}, "that nothing is shown proves nothing"
        stage.sandbox.control.options(aliyun.NAME, hides=False)
        eventually(lambda: stage.states(made) == {"submitted": 3})
    assert stage.taken() == Counter(mobiles(3))
    check_ledger(stage)


def test_what_was_sent_by_others_ends_no_doubt(stage: Stage) -> None:
    """An equal text of another call to the same number has another reference."""
    aliyun.bind(stage)
    with stage.working():
        first = stage.enqueue(mobiles(1), "", template="shipped", variables=VALUES)
        eventually(lambda: stage.states(first) == {"submitted": 1})
        stage.sandbox.control.rule("not_taken_close", gateway=aliyun.NAME, call="SendSms")
        made = stage.enqueue(mobiles(1), "", template="shipped", variables=VALUES)
        eventually(lambda: stage.states(made) == {"unknown": 1})
        eventually(lambda: queries_made(stage) > 1)
        assert stage.states(made) == {"unknown": 1}
    assert stage.taken() == Counter(mobiles(1))
