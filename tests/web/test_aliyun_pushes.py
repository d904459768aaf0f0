"""Alibaba Cloud's pushes, end to end: receipts in lists, replies, a signature's registration."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.support import aliyun
from tests.support.stage import Stage, eventually, mobiles
from tests.web.conftest import Served
from worker.domain.enums import RegistrationState
from worker.store.db.database import reading
from worker.store.schema.tables import inbound_message, inbox, opt_out, report

TOKEN = "first-token-0123456789"
VALUES = {"name": "客", "no": "N1"}


@pytest.fixture
def accounts(stage: Stage) -> dict[str, dict[str, Any]]:
    """The stage's accounts, and one at Alibaba Cloud that is pushed to."""
    return {"ali": aliyun.section(stage, push_tokens=[TOKEN])}


@pytest.fixture
def binding(served: Served) -> int:
    """The notice's binding, where the vendor pushes to the web process."""
    aliyun.vendor(served.stage)
    served.stage.prove()
    for what in ("report", "inbound"):
        url = f"{served.url}/push/ali/{TOKEN}/{what}"
        served.stage.sandbox.control.push(aliyun.NAME, what, url, keep_for_pull=False)
    return aliyun.bind(served.stage)


def rows(stage: Stage, table: Any) -> list[Any]:
    """Return all rows of a table."""
    with reading(stage.engine) as connection:
        return list(connection.execute(select(table)))


@pytest.mark.usefixtures("binding")
def test_receipts_end_messages_and_settle_what_lost_its_answer(served: Served) -> None:
    """A receipt names the submission by our reference; the first number's answer is lost."""
    stage = served.stage
    lost, *others = (*mobiles(2), "19999990100", "19999990500")
    stage.sandbox.control.options(aliyun.NAME, hides=True)
    stage.sandbox.control.rule("take_then_close", gateway=aliyun.NAME, numbers=[lost])
    first = stage.enqueue([lost], "", account="ali", template="shipped", variables=VALUES)
    made = stage.enqueue(others, "", account="ali", template="shipped", variables=VALUES)
    wanted = {"delivered": 1, "undelivered": 1, "submitted": 1}
    with stage.working():
        eventually(lambda: stage.states(made) == wanted)
        eventually(lambda: stage.states(first) == {"delivered": 1})
    pushes = stage.sandbox.control.state()["pushes"]
    assert pushes["done"] == pushes["tried"] == 4
    assert all(row.parsed_at and not row.damaged for row in rows(stage, inbox))
    assert {row.code for row in rows(stage, report)} == {
        "DELIVERED",
        "MOBILE_NOT_ON_SERVICE",
        "REQUEST_SUCCESS",
    }


@pytest.mark.usefixtures("binding")
def test_a_reply_opts_its_number_out_once(served: Served) -> None:
    stage = served.stage
    made = stage.enqueue(mobiles(1), "", account="ali", template="shipped", variables=VALUES)
    with stage.working():
        eventually(lambda: stage.states(made) == {"delivered": 1})
        stage.sandbox.control.reply(aliyun.NAME, msisdn=mobiles(1)[0], text="TD")
        eventually(lambda: rows(stage, opt_out))
    assert [row.msisdn for row in rows(stage, opt_out)] == mobiles(1)
    assert [row.text for row in rows(stage, inbound_message)] == ["TD"]


def test_three_receipts_that_call_the_signature_unregistered_pause_its_binding(
    served: Served, binding: int
) -> None:
    stage = served.stage
    unregistered = {"status": "PORT_NOT_REGISTERED"}
    stage.sandbox.control.rule("report_status", gateway=aliyun.NAME, args=unregistered)
    with stage.working():
        for number in mobiles(3):
            assert aliyun.binding_state(stage, binding) is RegistrationState.APPROVED
            made = stage.enqueue([number], "", account="ali", template="shipped", variables=VALUES)
            eventually(lambda made=made: stage.states(made) == {"undelivered": 1})
        eventually(lambda: aliyun.binding_state(stage, binding) is RegistrationState.PAUSED)
