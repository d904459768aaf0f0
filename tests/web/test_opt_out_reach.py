"""An opt-out, by whatever way it comes, reaches a campaign that runs before its next submission."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from producer.cli.app import app
from tests.support.stage import TEXT, eventually, mobiles, section
from tests.web.conftest import Served
from worker.domain.enums import MessageClass, MessageState, Scope
from worker.feedback import inbound
from worker.gateways.results import InboundMessage
from worker.intake import campaigns
from worker.store.db import database
from worker.store.feedback import inbox as inbox_store
from worker.store.schema.tables import submission

#: The first submission carries the first number, and is under way when somebody opts out.
FIRST, STAYING, *LEAVING = mobiles(7)


def _command(served: Served, *words: str) -> None:
    config = served.stage.folder / "xinshi.toml"
    config.write_text(f"database_url = {served.stage.database!r}\n", "utf-8")
    result = CliRunner().invoke(app, ["--config", str(config), *words])
    assert result.exit_code == 0, result.output


def by_command(served: Served) -> None:
    _command(served, "opt-out", "add", *LEAVING, "--why", "by telephone")


def by_file(served: Served) -> None:
    file = served.stage.folder / "out.csv"
    file.write_text("\n".join(["手机号", *LEAVING]), "utf-8")
    _command(served, "opt-out", "import", str(file))


def by_api(served: Served) -> None:
    client = served.client(served.key("crm", Scope.OPT_OUTS))
    answer = client.post("/v1/opt-outs", json={"to": LEAVING, "why": "in the app"})
    assert answer.json()["added"] == len(LEAVING)


def by_reply(served: Served) -> None:
    with database.writing(served.stage.engine) as connection:
        inbox_id = inbox_store.add_page(connection, "bulk", "inbound", b"")
        page = [(inbox_id, InboundMessage(number, "TD")) for number in LEAVING]
        inbound.take_pages(connection, served.stage.settings, "bulk", page)


WAYS = [by_command, by_file, by_api, by_reply]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
@pytest.mark.parametrize("opt_out", WAYS)
def test_an_opt_out_reaches_a_campaign_that_runs_before_its_next_submission(
    served: Served, opt_out: Callable[[Served], None]
) -> None:
    stage = served.stage
    account = section(stage.sandbox, "bulk", max_batch=1, concurrency=1, sending_hours="any")
    stage.configure(accounts={"bulk": account})
    stage.prove()
    stage.sandbox.control.rule("latency", gateway="c123", call="tx", args={"seconds": 1.5})
    with stage.working(MessageClass.MARKETING):
        campaign_id = stage.producer.enqueue_campaign("spring", [FIRST, STAYING, *LEAVING], TEXT).id
        eventually(lambda: _begun(served) == 1)
        opt_out(served)
        assert _begun(served) == 1, "the first submission was still under way"
        stage.sandbox.control.clear()
        eventually(lambda: _suppressed(served, campaign_id) == len(LEAVING), 30)
        eventually(lambda: set(stage.taken()) == {FIRST, STAYING}, 30)


def _begun(served: Served) -> int:
    with database.reading(served.stage.engine) as connection:
        query = select(submission.c.id).where(submission.c.called_at.is_not(None))
        return len(connection.execute(query).all())


def _suppressed(served: Served, campaign_id: int) -> int:
    states = campaigns.show(served.stage.engine, campaign_id).states
    return states.get(MessageState.SUPPRESSED.value, 0)
