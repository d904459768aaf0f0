"""Orders that come in together: one commit, and each is answered as if it had come alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Transaction, func, select

from tests.support.stage import TEXT, Stage, mobiles
from worker.domain.errors import CommitUnknown, KeyConflict, Refused
from worker.domain.recipient_windows import Window
from worker.gateways.base import Content
from worker.intake import enqueue, shared_commit
from worker.intake.enqueue import Enqueued
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.shared_commit import Exhausted, OfferedRequest
from worker.store.db import database
from worker.store.feedback import callbacks
from worker.store.intake.allowances import AllowanceClaim
from worker.store.schema.tables import (
    allowance,
    callback,
    message,
    request,
)

HOUR = 3_600_000


def offer(
    stage: Stage, *to: str, claims: Sequence[AllowanceClaim] = (), **words: Any
) -> OfferedRequest:
    order = EnqueueRequest(to or mobiles(1), TEXT, sender=words.pop("sender", "shop"), **words)
    return OfferedRequest(enqueue.check(stage.settings, order), claims)


def stored(stage: Stage) -> tuple[int, int]:
    """Count requests and messages."""
    with database.reading(stage.engine) as connection:
        counts = [select(func.count()).select_from(one) for one in (request, message)]
        requests, messages = (connection.execute(one).scalar_one() for one in counts)
    return requests, messages


def accepted(answer: object) -> Enqueued:
    assert isinstance(answer, Enqueued), answer
    return answer


def test_each_order_gets_its_own_messages_in_its_own_order(stage: Stage) -> None:
    """With a key and without, equal ones too; a number that stands twice is one message."""
    first, second = mobiles(2)
    offers = [
        offer(stage, second, first, second, key="b"),
        offer(stage, first),
        offer(stage, first),
        offer(stage, first, key="a"),
        offer(stage, second, key="a", sender="crm"),
    ]
    answers = [accepted(one) for one in shared_commit.accept(stage.engine, offers)]
    assert not any(one.repeated for one in answers)
    assert len({one.request_id for one in answers}) == len(offers)
    assert [len(set(one.ids)) for one in answers] == [2, 1, 1, 1, 1]
    numbers = [[stage.message(one).to for one in answer.ids] for answer in answers]
    assert numbers == [[second, first, second], [first], [first], [first], [second]]
    assert stored(stage) == (5, 6)


def test_an_order_is_stored_as_it_is_when_it_comes_alone(stage: Stage) -> None:
    """All columns but the moments, which are as far from the moment of storing."""
    moment = datetime.now(UTC) + timedelta(hours=1)
    words: list[dict[str, Any]] = [
        {},
        {"not_before": moment},
        {"not_after": moment},
        {
            "text": "{x}",
            "variables": {"x": "【信使】您的订单"},
            "account": "bulk",
            "extension": "7",
        },
        {"account": "bulk", "options": {"time": moment}},
    ]
    orders = [EnqueueRequest(mobiles(1), **{"text": TEXT, **one}) for one in words]
    for order in orders:
        checked = enqueue.check(stage.settings, order)
        alone = enqueue.commit(
            stage.engine, lambda own, again, one=checked: enqueue.store(own, one, again)
        )
        (together,) = shared_commit.accept(stage.engine, [OfferedRequest(checked)])
        rows = [_row(stage, one) for one in (alone.request_id, accepted(together).request_id)]
        assert rows[0] == rows[1]


def _row(stage: Stage, request_id: int) -> dict[str, Any]:
    with database.reading(stage.engine) as connection:
        found = connection.execute(select(request).where(request.c.id == request_id)).mappings()
        row = dict(found.one())
    at = row.pop("created_at")
    del row["id"]
    for name in ("next_at", "not_after"):
        row[name] = round((row[name] - at).total_seconds(), -1)
    return row


def test_variables_keep_their_order_beside_requests_without_any(stage: Stage) -> None:
    """Lists within the rows of one statement stay lists, whatever the database makes of rows."""
    plain = offer(stage)
    content = Content("", None, "7", {"b": "1", "a": "2"}, {"x": [1, [2]]})
    new = replace(plain.checked.new_request, content=content)
    offers = [plain, OfferedRequest(replace(plain.checked, new_request=new)), plain]
    answers = [accepted(one) for one in shared_commit.accept(stage.engine, offers)]
    rows = [_row(stage, one.request_id) for one in answers]
    assert [row["variables"] for row in rows] == [None, [["b", "1"], ["a", "2"]], None]
    assert [row["options"] for row in rows] == [None, {"x": [1, [2]]}, None]


def test_a_key_is_one_request_also_among_those_that_come_together(stage: Stage) -> None:
    """Before, beside each other, and with another content: that one alone is refused."""
    (before,) = shared_commit.accept(stage.engine, [offer(stage, key="k")])
    first, second = mobiles(2)
    offers = [
        offer(stage, first, key="k"),
        offer(stage, first, key="new"),
        offer(stage, first, key="new"),
        offer(stage, second, key="k"),
        offer(stage, second, key="other"),
    ]
    same, one, two, conflict, other = shared_commit.accept(stage.engine, offers)
    assert accepted(same).repeated
    assert accepted(same).ids == accepted(before).ids
    assert accepted(one).ids == accepted(two).ids
    assert [accepted(one).repeated, accepted(two).repeated].count(False) == 1
    assert isinstance(conflict, KeyConflict)
    assert not accepted(other).repeated
    assert stored(stage) == (3, 3)


def test_what_is_over_an_allowance_is_not_stored_and_counts_nowhere(stage: Stage) -> None:
    """The others that come with it are; a repeated one takes nothing; a refused key stays free."""
    number = AllowanceClaim("otp_recipient", "13800000000", (Window(2, HOUR),))
    other = AllowanceClaim("otp_client", "203.0.113.7", (Window(5, HOUR),))
    claims = [number, other]
    offers = [offer(stage, key=f"k{nth}", claims=claims) for nth in (1, 1, 2, 3, 3)]
    answers = shared_commit.accept(stage.engine, [*offers, offer(stage, key="free")])
    assert [type(one) for one in answers] == [
        *[Enqueued] * 3,
        *[Exhausted] * 2,
        Enqueued,
    ]
    assert isinstance(answers[3], Exhausted)
    assert 3500 < answers[3].wait_seconds <= 3600
    assert stored(stage) == (3, 3)
    with database.reading(stage.engine) as connection:
        taken = connection.execute(select(allowance.c.what, allowance.c.taken)).all()
    assert {row.what: len(row.taken) for row in taken} == {"otp_recipient": 2, "otp_client": 2}
    (late,) = shared_commit.accept(stage.engine, [offer(stage, key="k3")])
    assert not accepted(late).repeated


def test_each_is_told_where_it_says_or_where_its_sender_stands(stage: Stage) -> None:
    stage.configure(callback_secrets=["a master secret of this test, long enough"])
    with database.writing(stage.engine) as connection:
        standing = callbacks.add(connection, "shop", "https://example.com/all")
    named = {"callback_url": "https://example.com/one"}
    offers = [
        offer(stage),
        offer(stage, **named),
        offer(stage, **named),
        offer(stage, sender="crm", **named),
        offer(stage, sender="crm"),
    ]
    answers = [accepted(one) for one in shared_commit.accept(stage.engine, offers)]
    with database.reading(stage.engine) as connection:
        rows = connection.execute(select(request.c.id, request.c.callback_id)).all()
        whose = {row.id: row.sender for row in connection.execute(select(callback))}
    told = dict(tuple(row) for row in rows)
    first, *some, last = (told[one.request_id] for one in answers)
    assert first == standing
    assert last is None
    assert some[0] == some[1] != some[2]
    assert [whose[one] for one in some] == ["shop", "shop", "crm"]


@pytest.mark.parametrize("stands", [True, False])
def test_a_commit_that_was_cut_off_is_read_back_for_all(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stands: bool,
) -> None:
    """Whether it took effect or not, each order is stored once, and is no repetition."""
    offers = [offer(stage), offer(stage), offer(stage, key="k")]
    monkeypatch.setattr(database, "_commit", _cut_off(times=2, stands=stands))
    monkeypatch.setattr(enqueue, "READ_BACK_PAUSES", (0.0, 0.0, 0.0))
    answers = [accepted(one) for one in shared_commit.accept(stage.engine, offers)]
    assert stored(stage) == (3, 3)
    assert not any(one.repeated for one in answers)
    assert len({stage.message(one).id for one in answers}) == 3


def test_who_never_learns_of_a_commit_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_commit", _cut_off(times=99, stands=True))
    monkeypatch.setattr(enqueue, "READ_BACK_PAUSES", (0.0,))
    with pytest.raises(CommitUnknown):
        shared_commit.accept(stage.engine, [offer(stage)])
    assert stored(stage) == (1, 1)


def _cut_off(times: int, *, stands: bool) -> Callable[[Transaction], None]:
    left = [times]

    def commit(transaction: Transaction) -> None:
        left[0] -= 1
        if stands or left[0] < 0:
            transaction.commit()
        else:
            transaction.rollback()
        if left[0] >= 0:
            raise CommitUnknown

    return commit


def test_what_is_refused_by_its_content_never_comes_this_far(stage: Stage) -> None:
    with pytest.raises(Refused):
        offer(stage, "138")
    assert stored(stage) == (0, 0)
