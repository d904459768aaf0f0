"""What recipients will read is counted and shown as it is sent."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.by_hand import MARKETING, Hand, settings_of
from tests.support.stage import mobiles
from worker.domain import segments
from worker.intake import campaigns, recipient_rows
from worker.intake.checked_block import CheckedBlock
from worker.intake.recipient_rows import Row
from worker.intake.text_tally import TextTally
from worker.store.intake.campaign_rows import MessageColumns


@pytest.fixture
def hand(engine: Any, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={"added_signature": "【信使快递】"}))


@given(
    st.lists(st.text(st.sampled_from("字a😀"), max_size=140), max_size=20),
    st.text(st.sampled_from("字😀"), max_size=5),
)
def test_texts_are_counted_by_the_segments_that_are_billed(
    texts: list[str], signature: str
) -> None:
    tally = TextTally("common", signature)
    block = CheckedBlock(
        0, len(texts), MessageColumns(mobiles(len(texts))), range(2, 2 + len(texts))
    )
    tally.add(block, texts)
    expected = Counter(str(segments.count(text, signature)) for text in texts)
    assert tally.as_json()["segments"] == expected
    assert [sample["row"] for sample in tally.as_json()["samples"]] == [2, 3, 4][: len(texts)]


def test_a_campaign_shows_its_text_its_first_texts_and_its_segments(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those who are sent to, in the order of the list, whatever the blocks are."""
    monkeypatch.setattr(recipient_rows, "BLOCK_SIZE", 3)
    numbers = mobiles(8)
    # With the signature of 6 characters, 62 more are one segment, 64 are two.
    names = ["王" * 62, "bad", "王" * 64, "a", "a", "b", "c", "d"]
    rows = [
        Row(line, number, {"name": name})
        for line, (number, name) in enumerate(zip(numbers, names, strict=True), 2)
    ]
    rows[1] = Row(3, "no number", {"name": "bad"})
    rows[4] = Row(6, numbers[3], {"name": "twice"})
    loaded = hand.campaign(rows, "{name}{{", message_class=MARKETING, start=False)
    shown = campaigns.show(hand.engine, loaded.id)
    assert shown.text == "{name}{{"
    assert dict(shown.segments) == {"1": 5, "2": 1}
    assert [dict(sample) for sample in shown.samples] == [
        {"row": 2, "text": "王" * 62 + "{"},
        {"row": 4, "text": "王" * 64 + "{"},
        {"row": 5, "text": "a{"},
    ]


def test_a_text_that_all_read_is_shown_as_it_is_sent(hand: Hand) -> None:
    loaded = hand.campaign([*mobiles(5), *mobiles(2)], "【店】{{买一送一} 回T退订", start=False)
    shown = campaigns.show(hand.engine, loaded.id)
    assert (shown.text, dict(shown.segments), list(shown.samples)) == (
        "【店】{买一送一} 回T退订",
        {"1": 5},
        [],
    )
