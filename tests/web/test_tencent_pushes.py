"""Tencent Cloud SMS pushes lists of reports and single replies, and repeats what is not heard."""

import pytest
from sqlalchemy import select

from tests.support.stage import QUICK, Stage, eventually, mobiles
from tests.web.conftest import Served
from worker.store.db.database import reading
from worker.store.schema.tables import inbound_message, opt_out

NAME, TOKEN = "tencent", "a-token-of-the-gateway-s"
LOGIN = {
    "gateway": NAME,
    "sdk_app_id": "1400006666",
    "secret_id": "1400006666",
    "secret_key": "sandbox-secret-key",
    "signature": "信使",
    "push_tokens": [TOKEN],
    "reports": "push",
}


@pytest.fixture
def echo() -> bool:
    """Whether reports bring our reference."""
    return False


@pytest.fixture
def stage(stage: Stage, *, echo: bool) -> Stage:
    """Configure an account that is pushed to, and nothing else."""
    url = stage.sandbox.url(NAME)
    section = {**QUICK, **LOGIN, "base_url": url, "session_echo": echo, "timeout": "1s"}
    stage.configure(accounts={"cloud": section})
    stage.prove()
    stage.sandbox.control.options(NAME, session_echo=echo, hides=True)
    return stage


def have_pushed(served: Served) -> None:
    for kind in ("report", "inbound"):
        url = f"{served.url}/push/cloud/{TOKEN}/{kind}"
        served.stage.sandbox.control.push(NAME, kind, url, form="json", keep_for_pull=False)


@pytest.mark.parametrize("echo", [False, True])
def test_a_pushed_report_ends_the_message(served: Served) -> None:
    """By its SerialNo, or by our reference; what is heard is repeated no more."""
    have_pushed(served)
    stage = served.stage
    to = [*mobiles(2), "19999990101"]
    made = stage.enqueue(to, "", account="cloud", template="1110", variables={"1": "4370"})
    with stage.working():
        eventually(lambda: stage.states(made) == {"delivered": 2, "undelivered": 1})
        pushes = eventually(lambda: _settled(served))
    assert pushes["done"] == pushes["tried"] == 3
    assert stage.message(made).code == "DELIVRD"
    assert stage.message(made, 2).code == "UNDELIV"
    assert "PullSmsSendStatus" not in served.stage.sandbox.control.state()["calls"][NAME]
    assert "PullSmsReplyStatus" not in served.stage.sandbox.control.state()["calls"][NAME]


@pytest.mark.parametrize("echo", [True])
def test_a_pushed_report_with_our_reference_ends_a_doubt(served: Served) -> None:
    have_pushed(served)
    stage = served.stage
    stage.sandbox.control.rule("take_then_close", gateway=NAME, call="SendSms", count=1)
    made = stage.enqueue(mobiles(2), "", account="cloud", template="1110", variables={"1": "4370"})
    with stage.working():
        eventually(lambda: stage.states(made) == {"delivered": 2})
    assert sum(stage.taken().values()) == 2


def test_a_pushed_reply_opts_out(served: Served) -> None:
    have_pushed(served)
    stage = served.stage
    with stage.working():
        stage.sandbox.control.reply(NAME, "13800138000", "TD", extension="07")
        eventually(lambda: _column(stage, opt_out.c.msisdn) == ["13800138000"])
        pushes = eventually(lambda: _settled(served))
    assert pushes["done"] == pushes["tried"] == 1
    assert _column(stage, inbound_message.c.extension) == ["07"]


def _settled(served: Served) -> dict[str, int]:
    """Return the counts of pushes once none is under way."""
    pushes: dict[str, int] = served.stage.sandbox.control.state()["pushes"]
    return pushes if pushes.get("done") == pushes.get("tried") else {}


def _column(stage: Stage, column: object) -> list[str]:
    with reading(stage.engine) as connection:
        return list(connection.execute(select(column)).scalars())  # type: ignore[call-overload]
