"""One row never stops a page, one page never stops the next, one tick never stops another."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.support.stage import Stage, eventually
from worker.domain.enums import MessageState
from worker.domain.errors import Unavailable
from worker.feedback import page_intake, unread_pages
from worker.gateways.adapters.apiv1 import ApiV1
from worker.runtime import maintenance
from worker.store import ticks
from worker.store.db.database import reading, writing
from worker.store.feedback import inbox as inbox_store
from worker.store.schema.tables import inbound_message, inbox, opt_out, tick

M = MessageState


def rows(stage: Stage, table: Any) -> list[Any]:
    with reading(stage.engine) as connection:
        return list(connection.execute(select(table).order_by(table.c[0])))


def add(stage: Stage, kind: str, body: str, account: str = "v1") -> int:
    with writing(stage.engine) as connection:
        return inbox_store.add_page(connection, account, kind, body.encode(), status=200)


def page(number: str, text: str, **more: str) -> str:
    fields = {"mobile": number, "content": text, "times": "2026-01-02 03:04:05", **more}
    row = ",".join(f'"{name}":"{value}"' for name, value in fields.items())
    return f'{{"code":"00","data":[{{{row}}}]}}'


def test_an_extension_that_fits_no_column_costs_no_reply_its_opt_out(stage: Stage) -> None:
    stage.configure("v1")
    for number, extension in (
        ("13800138001", "123456789012345678901234567890"),
        ("13800138002", "7"),
    ):
        stage.sandbox.control.reply("apiv1", number, "TD", extension=extension)
    with stage.working():
        eventually(lambda: len(rows(stage, opt_out)) == 2)
    kept = {row.msisdn: row.extension for row in rows(stage, inbound_message)}
    assert kept == {"13800138001": None, "13800138002": "7"}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of replies fails on pages that hold a word."""
    right = ApiV1.read_inbound

    def fail(self: ApiV1, response: httpx.Response) -> Any:
        if b"deep" in response.content:
            raise RecursionError
        return right(self, response)

    monkeypatch.setattr(ApiV1, "read_inbound", fail)


@pytest.mark.usefixtures("broken")
def test_a_page_that_cannot_be_read_is_put_aside_and_the_others_are_read(stage: Stage) -> None:
    stage.configure("v1")
    odd = add(stage, "inbound", page("13800138001", "deep"))
    add(stage, "inbound", page("13800138002", "TD"))
    add(stage, "inbound", page("13800138003", "TD"), account="gone")
    accepted = stage.enqueue("13800000001")
    with stage.working():
        eventually(lambda: rows(stage, opt_out))
        eventually(lambda: stage.message(accepted).state is M.DELIVERED)
    by_id = {row.id: row for row in rows(stage, inbox)}
    assert by_id[odd].problem == "cannot be read: RecursionError"
    assert (by_id[odd].damaged, by_id[odd].parsed_at is None) == (1, False)
    assert by_id[odd + 2].parsed_at is None, "its account may come back"
    assert not any(row.failures for row in rows(stage, tick))


@pytest.mark.usefixtures("broken")
def test_a_page_that_was_just_collected_is_put_aside_too(stage: Stage) -> None:
    stage.configure("v1")
    stage.sandbox.control.reply("apiv1", "13800138001", "deep")
    with stage.working():
        eventually(lambda: [row for row in rows(stage, inbox) if row.problem])
        stage.sandbox.control.reply("apiv1", "13800138002", "TD")
        eventually(lambda: rows(stage, opt_out))


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_page_that_the_database_does_not_take_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits; the run says at its end what went wrong."""
    stage.configure("v1")
    first = add(stage, "inbound", page("13800138001", "hello"))
    add(stage, "inbound", page("13800138002", "TD"))
    whole = page_intake.take_in

    def take_in(*arguments: Any) -> Any:
        if arguments[3] == first:
            raise Unavailable
        return whole(*arguments)

    monkeypatch.setattr(page_intake, "take_in", take_in)
    with pytest.raises(Unavailable):
        unread_pages.read_waiting(stage.engine, stage.settings)
    assert [row.parsed_at is None for row in rows(stage, inbox)] == [True, False]
    assert len(rows(stage, opt_out)) == 1


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_spool_that_cannot_be_drained_stops_no_tick(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.configure("v1")

    def fail(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(maintenance, "drain_spools", fail)
    add(stage, "inbound", page("13800138002", "TD"))
    with stage.working():
        eventually(lambda: rows(stage, opt_out))


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_tick_remembers_how_often_in_a_row_it_failed_and_why(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it runs well once; the others run meanwhile."""
    stage.configure("v1")

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    def failing() -> list[ticks.FailingTick]:
        with reading(stage.engine) as connection:
            return ticks.failing(connection)

    with monkeypatch.context() as patch:
        patch.setattr(unread_pages, "read_waiting", fail)
        with stage.working():
            (seen,) = eventually(failing)
            accepted = stage.enqueue("13800000001")
            eventually(lambda: stage.message(accepted).state is M.DELIVERED)
    assert (seen.name, seen.problem) == ("pages", "ZeroDivisionError")
    assert seen.failures >= 2
    with stage.working():
        eventually(lambda: not failing())
