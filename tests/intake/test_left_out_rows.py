"""Rows that are left out: each is kept once, with line and reason, wherever loading breaks."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert

from tests.support.by_hand import MARKETING, Hand, settings_of
from tests.support.stage import mobiles
from worker.domain.enums import LeftOutReason
from worker.intake import left_out, recipient_rows
from worker.intake.recipient_rows import Row
from worker.store.db.clock import now
from worker.store.db.database import reading, writing
from worker.store.intake import campaign_rows, left_out_rows
from worker.store.schema.tables import opt_out

INVALID, REPEATED, SUPPRESSED = LeftOutReason
GONE = mobiles(40)[::9]


@pytest.fixture
def hand(engine: Any, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={"max_batch": 5}))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 10 rows, transactions of 3, parts of 4: what is rare happens."""
    monkeypatch.setattr(recipient_rows, "BLOCK_SIZE", 10)
    monkeypatch.setattr(left_out, "PART_SIZE", 4)
    for name in ("TRANSACTION_MESSAGES", "FILE_TRANSACTION_MESSAGES", "COPY_TRANSACTION_MESSAGES"):
        monkeypatch.setattr(campaign_rows, name, 3)


def opt_out_numbers(hand: Hand, msisdns: list[str]) -> None:
    with writing(hand.engine) as connection:
        connection.execute(
            insert(opt_out).values(since=now(), why="a test"),
            [{"msisdn": msisdn} for msisdn in msisdns],
        )


def expected(rows: list[Row]) -> list[tuple[int, str, str]]:
    """Return line, number and reason of each row that is to be left out."""
    seen: set[str] = set()
    left = []
    for row in rows:
        if row.problem or not row.number.isdigit():
            left.append((row.line, row.number, INVALID.value))
        elif row.number in seen:
            left.append((row.line, row.number, REPEATED.value))
        elif row.number in GONE:
            left.append((row.line, row.number, SUPPRESSED.value))
        seen.add(row.number)
    return left


def kept(hand: Hand, campaign_id: int) -> list[tuple[int, str, str]]:
    with reading(hand.engine) as connection:
        rows = left_out_rows.read(connection, campaign_id, -1, 1000)
    return [(row.line, row.number, row.reason) for row in rows]


def a_list(seed: int, count: int) -> list[Row]:
    """Return rows of which some are bad, some come twice, and some have opted out."""
    chance = random.Random(seed)
    numbers = [*mobiles(40), "no number", "138-\x00"]
    return [Row(line, chance.choice(numbers)) for line in range(2, count + 2)]


def breaks(rows: list[Row], at: int) -> Iterator[Row]:
    yield from rows[:at]
    raise InterruptedError


def shown(rows: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    return [(line, number.replace("\x00", "\ufffd"), reason) for line, number, reason in rows]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cut_at", [0, 1, 13, 47])
def test_each_row_is_a_message_or_is_kept_as_left_out_wherever_loading_was_cut_off(
    hand: Hand, seed: int, cut_at: int
) -> None:
    """Also when somebody opted out between the two calls."""
    rows = a_list(seed, 60)
    with pytest.raises(InterruptedError):
        hand.campaign(breaks(rows, cut_at), key="may", message_class=MARKETING, start=False)
    opt_out_numbers(hand, GONE)
    loaded = hand.campaign(rows, key="may", message_class=MARKETING, start=False)
    assert kept(hand, loaded.id) == shown(expected(rows))
    assert loaded.total + len(kept(hand, loaded.id)) == len(rows)


def test_of_a_longer_list_that_was_cut_off_nothing_stays(hand: Hand) -> None:
    with pytest.raises(InterruptedError):
        hand.campaign(breaks(a_list(1, 60), 55), key="may", start=False)
    rows = [Row(line, number) for line, number in enumerate([*mobiles(8), *mobiles(2)], 2)]
    loaded = hand.campaign(rows, key="may", start=False)
    assert [line for line, _, _ in kept(hand, loaded.id)] == [10, 11]


def test_an_export_has_all_of_them_in_the_order_of_the_list(hand: Hand) -> None:
    opt_out_numbers(hand, GONE)
    rows = a_list(5, 80)
    loaded = hand.campaign(rows, message_class=MARKETING, start=False)
    fields = [row for part in left_out.parts(hand.engine, loaded.id) for row in part]
    assert [row["row"] for row in fields] == [line for line, _, _ in expected(rows)]
    assert all(row["state"] == "left out" and row["reason"] for row in fields)
