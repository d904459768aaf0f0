"""One message through each of the five gateways, in each of its ways, to the ledger and back."""

from typing import Any

import pytest

from tests.support.stage import Stage, eventually, section
from worker.domain.enums import MessageState

CODE = "您的验证码是：123456。请不要把验证码泄露给其他人。"
TEXT = "【信使】尊敬的客户：您的订单 A+B&C=100% 已发货，「镕」"

#: Account, what differs from its usual settings, the text, the state that it ends in, the code.
WAYS = [
    ("me", {}, TEXT, "submitted", "200"),
    ("me", {"method": "GET"}, TEXT, "submitted", "200"),
    ("bulk", {}, TEXT, "submitted", "100"),
    ("bulk", {"method": "GET"}, TEXT, "submitted", "100"),
    ("bulk", {"charset": "utf-8"}, f"{TEXT}€㐀", "submitted", "100"),
    ("bulk", {"charset": "utf-8", "method": "GET"}, f"{TEXT}€㐀", "submitted", "100"),
    ("codes", {}, CODE, "submitted", "2"),
    ("codes", {"format": "json"}, CODE, "submitted", "2"),
    ("codes", {"method": "GET", "dynamic_password": True}, CODE, "submitted", "2"),
    ("codes", {"format": "json", "dynamic_password": True}, CODE, "submitted", "2"),
    ("v1", {}, f"{TEXT}😀", "delivered", "DELIVER"),
    ("v1", {"password_case": "upper"}, TEXT, "delivered", "DELIVER"),
    ("jzy", {}, TEXT, "delivered", "1"),
    (
        "jzy",
        {"charset": "utf-8", "path": "/servlet/UserServiceAPIUTF8", "password_encoding": "clear"},
        f"{TEXT}€",
        "delivered",
        "1",
    ),
    # Over SOAP there is no batch id: the report's is adopted.
    ("jzy", {"transport": "soap"}, TEXT, "delivered", "1"),
]


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("account", "settings", "text", "state", "code"),
    WAYS,
    ids=["-".join([way[0], *map(str, way[1].values())]).replace("/", "") for way in WAYS],
)
def test_a_message_reaches_the_gateway_as_it_was_written(
    stage: Stage, account: str, settings: dict[str, Any], text: str, state: str, code: str
) -> None:
    stage.configure(accounts={account: section(stage.sandbox, account, **settings)})
    accepted = stage.enqueue("+86 138-1234-5678", text, account=account)
    with stage.working():
        eventually(lambda: stage.message(accepted).state.value == state)
    (line,) = stage.lines()
    assert (line.taken, line.text) == (("13812345678",), text)
    message = stage.message(accepted)
    assert (message.account, message.code, message.attempts) == (account, code, 1)
    assert message.submitted_at is not None
    if account == "v1":
        assert line.reference, "taskId is always ours"


def test_one_message_through_each_of_the_five_gateways(stage: Stage) -> None:
    accepted = {
        name: stage.enqueue(f"1381234000{nth}", CODE, account=name)
        for nth, name in enumerate(stage.settings.accounts)
    }
    reported = {"v1", "jzy"}
    with stage.working():
        for name, one in accepted.items():
            end = MessageState.DELIVERED if name in reported else MessageState.SUBMITTED
            eventually(lambda one=one, end=end: stage.message(one).state is end)
    lines = stage.lines()
    assert sorted(line.gateway for line in lines) == sorted(
        ["fetion", "c123", "ihuyi", "apiv1", "jzyyun"]
    )
    assert {line.text for line in lines} == {CODE}
    assert all(line.segments == 1 for line in lines)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_each_message_of_a_request_of_many_numbers_has_its_own_fate(stage: Stage) -> None:
    stage.configure("jzy")
    accepted = stage.enqueue(["13800000001", "19999990101", "13800000001", "13800000003"])
    assert accepted.ids[0] == accepted.ids[2]
    with stage.working():
        wanted = {"delivered": 2, "undelivered": 1}
        eventually(lambda: stage.states(accepted) == wanted)
    assert len(stage.lines()) == 1, "one text, one submission"
    assert sum(stage.taken().values()) == 3


@pytest.mark.parametrize("kind", ["sqlite"])
def test_what_an_account_knows_alone_reaches_it(stage: Stage) -> None:
    bulk = section(stage.sandbox, "bulk")
    stage.configure("codes", "jzy", "v1", accounts={"bulk": bulk})
    stage.enqueue(
        "13800000001", account="bulk", extension="12", options={"time": "2030-05-27 12:01"}
    )
    stage.enqueue("02185418874", account="bulk")
    stage.enqueue("13800000002", account="jzy", extension="7", options={"smstype": 2})
    stage.enqueue("13800000003", account="v1", extension="10")
    stage.enqueue("13800000004", account="codes", template="1", variables={"code": "7788"})
    with stage.working():
        eventually(lambda: len(stage.lines()) == 5)
    found = {line.taken[0]: line for line in stage.lines()}
    assert found["13800000001"].extension == "12"
    assert found["13800000001"].schedule == "2030-05-27 12:01"
    assert "02185418874" in found
    assert found["13800000002"].pool
    assert found["13800000002"].extension == "7"
    assert found["13800000003"].extension == "10"
    assert found["13800000004"].template == "1"
