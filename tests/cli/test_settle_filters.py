"""Many unknown submissions: listed by what they have in common, and ended so, after a question."""

from datetime import UTC, datetime

import pytest

from tests.cli.conftest import TEXT, Place
from tests.support.by_hand import Hand, answer
from tests.support.stage import mobiles, section
from worker.config import settings
from worker.domain.enums import MessageClass, Outcome


@pytest.fixture
def campaign(place: Place) -> int:
    """Three unknown batches of a campaign at `bulk`, two singles at `v1` with another code."""
    place.configure("v1", more={"bulk": section(place.sandbox, "bulk", max_batch=2)})
    hand = Hand(place.engine, settings.load())
    loaded = hand.campaign(mobiles(6), TEXT, account="bulk")
    for first in (20, 30):
        hand.enqueue(mobiles(1, first), f"{TEXT}{first}", account="v1")
    batches, singles = hand.take(MessageClass.MARKETING), hand.take()
    assert [len(batch.outgoing.msisdns) for batch in batches] == [2, 2, 2]
    hand.record(*(answer(batch, Outcome.UNKNOWN, code="HTTP 502") for batch in batches))
    hand.record(*(answer(single, Outcome.UNKNOWN, code="timeout") for single in singles))
    return loaded.id


def test_unknown_submissions_are_found_by_what_they_have_in_common(
    place: Place, campaign: int
) -> None:
    def found(*words: str) -> int:
        return len(place.data("settle", "list", *words))

    assert found() == 5
    assert found("--account", "v1") == found("--code", "timeout") == 2
    assert found("--campaign", str(campaign)) == found("--code", "HTTP 502") == 3
    assert found("--code", "HTTP 502", "--account", "v1") == 0
    assert found("--since", "1h") == 5
    assert found("--since", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.9+00:00") == 0
    assert "nothing unknown fits" in place.run("settle", "list", "--code", "x").stderr


def test_numbers_are_shown_masked(place: Place, campaign: int) -> None:
    batch, *_ = place.data("settle", "list", "--campaign", str(campaign))
    assert batch["numbers"] == [f"{number[:3]}****{number[-4:]}" for number in mobiles(2)]
    shown = place.done("settle", "list", "--json") + place.done("settle", "list")
    assert not any(number in shown for number in mobiles(6))


def test_unknown_messages_of_campaigns_are_found_without_their_campaign(
    place: Place, campaign: int
) -> None:
    found = place.data("messages", "--state", "unknown")
    assert len(found) == 8
    assert sum(message["campaign"] == campaign for message in found) == 6
    assert len(place.data("messages", "--state", "unknown", "--account", "v1")) == 2
    assert len(place.data("messages", "--state", "unknown", "--limit", "3")) == 3


def test_those_that_fit_are_shown_and_ended_after_a_yes(place: Place, campaign: int) -> None:
    words = ["settle", "not-sent", "--campaign", str(campaign), "--why", "no trace"]
    refused = place.run(*words, typed="n\n")
    assert refused.exit_code == 1
    assert "3 submissions with 6 messages: not sent?" in refused.output
    assert mobiles(1)[0][:3] + "****" in refused.output
    assert len(place.data("settle", "list")) == 5
    assert "--yes" in place.fails(*words, "--json", code=2)
    place.done(*words, typed="y\n")
    assert [row["code"] for row in place.data("settle", "list")] == ["timeout"] * 2
    assert place.data("campaign", "show", str(campaign))["states"]["queued"] == 6
    settled = place.data("settle", "submitted", "--code", "timeout", "--why", "x", "--yes")
    assert len(settled["settled"]) == 2
    assert place.data("settle", "list") == []


def test_which_are_meant_has_to_be_said_in_one_way(place: Place, campaign: int) -> None:
    for words in ([], ["1", "--account", "v1"]):
        said = place.fails("settle", "submitted", *words, "--why", "x", "--yes", code=2)
        assert "--account" in said
    assert len(place.data("settle", "list")) == 5
    assert campaign
