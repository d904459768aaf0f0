"""A gateway that tells of each recipient: one row for a submission, and each message its own fate.

The gateway is the tests' own (`tests.support.roster`); the sandbox's ledger says what it took.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.support import roster
from tests.support.stage import QUICK, Stage, eventually, mobiles
from worker.domain.enums import MessageClass
from worker.intake import campaigns, lookup
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import Row
from worker.sandbox import taken as taken_messages
from worker.settlement import ledger
from worker.store.db.database import reading
from worker.store.schema.tables import message_gateway_id, submission, submission_detail

NOTICE = MessageClass.NOTICE


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with roster.installed():
        yield


def section(stage: Stage, **more: Any) -> dict[str, Any]:
    """Return the section of an account at the tests' own gateway."""
    return {**QUICK, **roster.LOGIN, "base_url": stage.sandbox.url(roster.NAME), **more}


def load(stage: Stage, count: int, text: str, first: int = 0) -> int:
    """Load a campaign of personal texts; every tenth text has two segments."""
    rows = (
        Row(n + 1, msisdn, {"name": f"客{n}" + ("长" * 70 if n % 10 == 0 else "")})
        for n, msisdn in enumerate(mobiles(count, first))
    )
    request = EnqueueRequest((), text, message_class=NOTICE)
    return campaigns.create(stage.engine, stage.settings, "personal", request, rows, start=True).id


def states(stage: Stage, campaign_id: int) -> dict[str, int]:
    """Count a campaign's messages by state."""
    return dict(campaigns.show(stage.engine, campaign_id).states)


def rows_of(stage: Stage, campaign_id: int) -> list[Any]:
    """Return a campaign's submissions, the oldest first."""
    with reading(stage.engine) as connection:
        query = select(submission).where(submission.c.request_id == campaign_id)
        return list(connection.execute(query.order_by(submission.c.id)))


def check_ledger(stage: Stage) -> None:
    """Compare the database with what the gateway really took."""
    with reading(stage.engine) as connection:
        _, findings = ledger.compare(connection, stage.settings, stage.sandbox.ledger)
    assert [finding for finding in findings if finding.broken] == []


@pytest.mark.parametrize("bring", ["id", "reference"])
def test_each_message_of_a_call_has_its_own_fate_id_and_report(stage: Stage, bring: str) -> None:
    """30 bad numbers are rejected alone, 20 limited ones go later, each report finds its own."""
    count = 10_000 if stage.engine.dialect.name == "sqlite" else 2000
    numbers = mobiles(count)
    refused, waiting = numbers[5 : count : count // 30][:30], numbers[7 : count : count // 20][:20]
    stage.configure(accounts={"one": section(stage, reports_bring=bring)})
    stage.prove()
    stage.sandbox.control.options(roster.NAME, refused=refused, waiting=waiting, page=1000)
    campaign_id = load(stage, count, "【信使】{name}，您的订单已发货")
    with stage.working():
        wanted = {"delivered": count - len(refused), "rejected": len(refused)}
        eventually(lambda: states(stage, campaign_id) == wanted, within=120)
    rows = rows_of(stage, campaign_id)
    first = [row for row in rows if row.parent_id is None]
    assert [row.state for row in first] == ["accepted"] * (count // 1000)
    assert sum(row.size for row in first) == count - len(refused) - len(waiting)
    # No submission for an id or a refusal: only what went on got one, together.
    later = [row for row in rows if row.parent_id is not None]
    assert sum(row.size for row in later if row.state == "accepted") == len(waiting)
    assert len(later) <= 2 * len({row.parent_id for row in later})
    assert stage.taken() == Counter(set(numbers) - set(refused))
    _check_messages(stage, campaign_id, set(refused))
    with reading(stage.engine) as connection:
        named = connection.execute(select(func.count()).select_from(message_gateway_id)).scalar()
    assert named == (count - len(refused) if bring == "id" else 0)
    check_ledger(stage)


def _check_messages(stage: Stage, campaign_id: int, refused: set[str]) -> None:
    """Check each message's id and segments, and that their sums are the submissions'."""
    taken = {message.msisdn: message for message in taken_messages(stage.sandbox.ledger or "")}
    segment_sum = 0
    for fields in lookup_all(stage, campaign_id):
        number = fields["to"]
        if number in refused:
            assert (fields["state"], fields["code"]) == ("rejected", "number")
            continue
        assert fields["gateway_id"] == taken[number].id
        assert fields["segments"] == (2 if "长" in taken[number].text else 1)
        segment_sum += fields["segments"]
    accepted = [row for row in rows_of(stage, campaign_id) if row.state == "accepted"]
    assert segment_sum == sum(
        row.size * row.segments if row.segment_sum is None else row.segment_sum for row in accepted
    )


def lookup_all(stage: Stage, campaign_id: int) -> list[dict[str, Any]]:
    """Return a campaign's messages as JSON shows them."""
    ids = [f"{campaign_id}-{n}" for n in range(campaigns.show(stage.engine, campaign_id).total)]
    return [message.as_json() for message in lookup.get_all(stage.engine, ids)]


def test_one_text_to_many_needs_no_detail_where_nothing_differs(stage: Stage) -> None:
    stage.configure(accounts={"one": section(stage, reports="none")})
    stage.prove()
    stage.sandbox.control.options(roster.NAME, refused=mobiles(1))
    made = stage.enqueue(mobiles(3))
    with stage.working():
        eventually(lambda: stage.states(made) == {"submitted": 2, "rejected": 1})
    with reading(stage.engine) as connection:
        (detail,) = connection.execute(select(submission_detail)).all()
    assert detail.segments is None
    assert len([gateway_id for gateway_id in detail.gateway_ids["ids"] if gateway_id]) == 2
