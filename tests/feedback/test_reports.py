"""Delivery reports and inbound messages: each counts once, however and whenever it comes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.support.by_hand import by_person
from tests.support.stage import (
    TEXT,
    Stage,
    eventually,
    section,
)
from worker.domain.enums import MessageState
from worker.feedback import named_reports, unread_pages
from worker.store.db.database import reading, writing
from worker.store.feedback import inbox as inbox_store
from worker.store.feedback import opt_outs
from worker.store.schema.tables import (
    inbound_message,
    inbox,
    opt_out,
    report,
)

M = MessageState


def rows(stage: Stage, table: Any) -> list[Any]:
    """Return all rows of a table."""
    with reading(stage.engine) as connection:
        return list(connection.execute(select(table)))


@pytest.mark.parametrize("account", ["v1", "jzy"])
def test_reports_are_pulled_and_move_their_messages(stage: Stage, account: str) -> None:
    stage.configure(account)
    to = ["13800000001", "19999990101", "19999990501", "19999990801"]
    accepted = stage.enqueue(to)
    wanted = {"delivered": 1, "undelivered": 2, "submitted": 1}
    with stage.working():
        eventually(lambda: stage.states(accepted) == wanted)
    assert stage.message(accepted).finished_at is not None
    assert stage.message(accepted, 2).state is M.SUBMITTED, "no report that says anything"


@pytest.mark.parametrize("times", [2, 10])
def test_a_report_that_comes_more_than_once_counts_once(stage: Stage, times: int) -> None:
    """Fault 22."""
    stage.configure("v1")
    args = {"times": times, "spread": 0.15}
    stage.sandbox.control.rule("double_reports", gateway="apiv1", args=args)
    accepted = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.DELIVERED)
        nothing = {"apiv1/demo": 0}
        eventually(lambda: stage.sandbox.control.state()["waiting"]["reports"] == nothing)
    assert stage.message(accepted).state is M.DELIVERED
    # One row for each time that the gateway printed.
    printed = {row.digest for row in rows(stage, report)}
    assert len(rows(stage, report)) == len(printed)


def test_masked_numbers_find_their_message_where_only_one_fits(stage: Stage) -> None:
    stage.configure("v1")
    stage.sandbox.control.rule("masked_numbers", gateway="apiv1")
    accepted = stage.enqueue(["13800001234", "13811111234", "13800005678"])
    wanted = {"delivered": 1, "submitted": 2}
    with stage.working():
        eventually(lambda: stage.states(accepted) == wanted)
        eventually(lambda: len(rows(stage, report)) >= 2)
    assert stage.message(accepted, 2).state is M.DELIVERED


def test_a_report_before_our_answer_is_recorded_is_not_overwritten(stage: Stage) -> None:
    """The answer takes three seconds; the report is there long before."""
    stage.configure("v1")
    stage.prove()
    stage.sandbox.control.rule("latency", gateway="apiv1", call="send", args={"seconds": 3.0})
    accepted = stage.enqueue("13800000001")
    with stage.working():
        early = eventually(lambda: (one := stage.message(accepted)).state is M.DELIVERED and one)
        assert early.submitted_at is None
        eventually(lambda: stage.message(accepted).submitted_at is not None)
    assert stage.message(accepted).state is M.DELIVERED
    assert stage.taken() == {"13800000001": 1}


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_report_before_an_answer_that_never_comes_ends_the_doubt_too(stage: Stage) -> None:
    stage.configure("v1")
    stage.sandbox.control.rule("take_then_hang", gateway="apiv1", args={"seconds": 0.6}, count=1)
    accepted = stage.enqueue(["13800000001", "19999990201"])
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.DELIVERED)
        eventually(lambda: stage.message(accepted, 1).state is M.SUBMITTED, within=3)


def test_a_report_ends_the_doubt_about_an_unknown(stage: Stage) -> None:
    stage.configure("v1")
    stage.sandbox.control.rule("delay_reports", gateway="apiv1", args={"seconds": 1.0})
    stage.sandbox.control.rule("take_then_close", gateway="apiv1", call="send", count=1)
    accepted = stage.enqueue(["13800000001", "13800000002"])
    with stage.working():
        eventually(lambda: stage.states(accepted) == {"unknown": 2})
        eventually(lambda: stage.states(accepted) == {"delivered": 2})
    assert set(stage.taken().values()) == {1}


def test_a_report_that_matches_nothing_is_kept_and_changes_nothing(stage: Stage) -> None:
    stage.configure("v1")
    stage.sandbox.control.rule("lose_reports", gateway="apiv1")
    accepted = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.SUBMITTED)
        stage.sandbox.control.report("apiv1", ["13900000009"], id="f" * 32)
        eventually(lambda: rows(stage, report))
    (kept,) = rows(stage, report)
    assert (kept.request_id, kept.msisdn) == (None, "13900000009")
    assert stage.message(accepted).state is M.SUBMITTED


def test_a_report_that_matched_nothing_is_matched_later(stage: Stage) -> None:
    stage.configure("v1")
    stage.sandbox.control.rule("lose_reports", gateway="apiv1")
    accepted = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.SUBMITTED)
    reference = stage.message(accepted).gateway_id
    early = f'{{"code":"00","data":[{{"sendId":"{reference}","status":"DELIVER",'
    early += '"mobile":"13800000001","times":"2026-01-02 03:04:05"}]}'
    with writing(stage.engine) as connection:
        connection.exec_driver_sql(
            "UPDATE xinshi_submission SET reference = NULL, gateway_id = NULL"
        )
        inbox_store.add_page(connection, "v1", "reports", early.encode(), status=200)
    unread_pages.read_waiting(stage.engine, stage.settings)
    assert stage.message(accepted).state is M.SUBMITTED or stage.message(accepted).gateway_id
    with writing(stage.engine) as connection:
        connection.exec_driver_sql(f"UPDATE xinshi_submission SET reference = '{reference}'")
    named_reports.match_named(stage.engine, stage.settings)
    assert stage.message(accepted).state is M.DELIVERED


def test_a_page_that_a_crash_left_unread_is_read_later(stage: Stage) -> None:
    """Fault 28: it was stored before a byte of it was parsed."""
    stage.configure("v1")
    stage.sandbox.control.rule("lose_reports", gateway="apiv1")
    accepted = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is M.SUBMITTED)
        page = f'{{"code":"00","data":[{{"sendId":"{stage.message(accepted).gateway_id}",'
        page += '"status":"DELIVER","mobile":"13800000001","times":"2026-01-02 03:04:05"}]}'
        with writing(stage.engine) as connection:
            inbox_store.add_page(connection, "v1", "reports", page.encode(), status=200)
        eventually(lambda: stage.message(accepted).state is M.DELIVERED)
        eventually(lambda: all(row.parsed_at for row in rows(stage, inbox)))


@pytest.mark.parametrize("account", ["bulk", "v1", "jzy"])
def test_replies_come_in_with_their_text_once(stage: Stage, account: str) -> None:
    more = {"rx_spacing": "0.1s", "service_number": "1068112227282"} if account == "bulk" else {}
    stage.configure(accounts={account: section(stage.sandbox, account, **more)})
    gateway = stage.settings.accounts[account].gateway.name
    text = "好的，谢谢！1||2{&}3\n“镕”"
    stage.sandbox.control.reply(gateway, "13800000001", text, extension="12")
    with stage.working():
        eventually(lambda: rows(stage, inbound_message))
        stage.sandbox.control.reply(gateway, "13800000002", "T")
        eventually(lambda: len(rows(stage, inbound_message)) == 2)
        read = len(rows(stage, inbox))
        eventually(lambda: len(rows(stage, inbox)) >= read + 2)
    first, second = sorted(rows(stage, inbound_message), key=lambda row: row.msisdn)
    assert (first.msisdn, first.text) == ("13800000001", text)
    assert (second.msisdn, second.text) == ("13800000002", "T")
    if account != "jzy":
        assert first.extension == "12"
    assert abs(first.received_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert [row.msisdn for row in rows(stage, opt_out)] == ["13800000002"]


def test_who_opted_out_gets_no_more_advertising_but_still_their_codes(stage: Stage) -> None:
    stage.configure("jzy")
    stage.sandbox.control.reply("jzyyun", "13800000001", "  ｔｄ。")
    with stage.working():
        eventually(lambda: rows(stage, opt_out))
        to = ["13800000001", "13800000002"]
        sale = stage.enqueue(to, "促销 回T退订", message_class="marketing")
        code = stage.enqueue(to[0], "【信使】验证码1234", message_class="otp")
        news = stage.enqueue(to[0], TEXT)
        eventually(lambda: stage.states(sale) == {"suppressed": 1, "delivered": 1})
        for one in (code, news):
            eventually(lambda one=one: stage.message(one).state is M.DELIVERED)
    assert stage.taken() == {"13800000001": 2, "13800000002": 1}


@pytest.mark.parametrize("kind", ["sqlite"])
def test_opt_outs_hold_for_notices_where_the_configuration_says_so(stage: Stage) -> None:
    stage.configure("jzy", opt_out_notice=True)
    stage.prove()
    with writing(stage.engine) as connection:
        opt_outs.add_new(connection, ["13800000001"], by_person("test"))
    with stage.working():
        news = stage.enqueue("13800000001", TEXT)
        eventually(lambda: stage.message(news).state is M.SUPPRESSED)
    assert not stage.taken()


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("msisdn", "state"), [("19999991001", "undelivered"), ("13800000001", "delivered")]
)
def test_a_long_text_has_a_report_for_each_part(stage: Stage, msisdn: str, state: str) -> None:
    stage.configure("v1")
    accepted = stage.enqueue(msisdn, "长" * 200)
    with stage.working():
        eventually(lambda: stage.message(accepted).state.value == state)
    assert stage.message(accepted).segments == 3


@pytest.mark.parametrize("kind", ["sqlite"])
def test_hostile_pages_are_kept_and_harm_nobody(stage: Stage) -> None:
    """Fault 29."""
    stage.configure("jzy", "v1")
    for kind in ("deep_xml", "entity_bomb", "deep_json", "nuls"):
        try:
            stage.sandbox.control.rule("take_then_hostile", count=1, args={"kind": kind})
        except ValueError:
            continue
    accepted = stage.enqueue("13800000001", account="v1")
    with stage.working():
        eventually(lambda: stage.message(accepted).state is not M.QUEUED)
        sane = stage.enqueue("13800000002", account="jzy")
        eventually(
            lambda: stage.message(sane).state in {M.DELIVERED, M.SUBMITTED, M.UNKNOWN}, within=30
        )
