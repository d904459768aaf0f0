"""A reply belongs to the sender of the message that it answers: by its extension first."""

import pytest
from sqlalchemy import Engine

from tests.support.by_hand import Hand, hurry, settings_of
from tests.support.stage import mobiles
from worker.feedback import inbound
from worker.gateways.results import InboundMessage
from worker.intake import campaign_numbers
from worker.store.db.database import reading, writing
from worker.store.feedback import inbound as replies
from worker.store.feedback import inbox as inbox_store
from worker.store.feedback.inbound import InboundFilter

NUMBER = mobiles(1)[0]


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    hurry(engine)
    return Hand(engine, settings_of(database, v1={}))


def reply(hand: Hand, extension: str | None) -> None:
    with writing(hand.engine) as connection:
        inbox_id = inbox_store.add_page(connection, "v1", "inbound", b"")
        page = [(inbox_id, InboundMessage(NUMBER, "my ID is 7", extension))]
        inbound.take_pages(connection, hand.settings, "v1", page)


def seen_by(hand: Hand) -> set[str]:
    """Return the senders that see a reply."""
    with reading(hand.engine) as connection:
        return {
            sender
            for sender in ("alice", "bob", "carol")
            if replies.page(connection, InboundFilter({"v1": ["v1"]}, sender), 10).rows
        }


def send(hand: Hand, sender: str, extension: str | None = None) -> None:
    hand.enqueue([NUMBER], account="v1", sender=sender, extension=extension)


def send_campaign(hand: Hand, sender: str, extension: str | None = None) -> None:
    """Load a campaign to the number, and store its numbers as a worker does later."""
    hand.campaign([NUMBER], account="v1", sender=sender, extension=extension)
    while campaign_numbers.store_part(hand.engine):
        pass


def test_a_reply_to_a_campaign_belongs_to_the_campaign_s_sender(hand: Hand) -> None:
    send(hand, "alice")
    send_campaign(hand, "bob")
    reply(hand, None)
    assert seen_by(hand) == {"bob"}


def test_a_single_message_after_a_campaign_draws_the_reply(hand: Hand) -> None:
    send_campaign(hand, "bob")
    send(hand, "alice")
    reply(hand, None)
    assert seen_by(hand) == {"alice"}


def test_a_campaign_without_the_extension_draws_no_reply_to_a_message_that_has_it(
    hand: Hand,
) -> None:
    send(hand, "alice", "88")
    send_campaign(hand, "bob")
    send_campaign(hand, "carol", "99")
    reply(hand, "88")
    assert seen_by(hand) == {"alice"}
    reply(hand, "77")
    assert seen_by(hand) == {"alice", "bob"}


def test_a_later_message_without_extension_draws_no_reply_to_itself(hand: Hand) -> None:
    send(hand, "alice", "88")
    send(hand, "bob")
    reply(hand, "88")
    assert seen_by(hand) == {"alice"}


def test_a_later_message_with_another_extension_draws_none_either(hand: Hand) -> None:
    send(hand, "alice")
    send(hand, "bob", "99")
    reply(hand, "88")
    assert seen_by(hand) == {"alice"}


def test_of_messages_with_the_extension_the_newest_is_answered(hand: Hand) -> None:
    send(hand, "alice", "88")
    send(hand, "bob", "88")
    send(hand, "carol")
    reply(hand, "88")
    assert seen_by(hand) == {"bob"}


def test_a_reply_without_an_extension_answers_the_newest_message(hand: Hand) -> None:
    """Some gateways tell none."""
    send(hand, "alice")
    send(hand, "bob", "88")
    reply(hand, None)
    assert seen_by(hand) == {"bob"}


def test_where_only_other_extensions_were_used_the_newest_is_answered(hand: Hand) -> None:
    """The gateway may write the extension otherwise than it was given."""
    send(hand, "alice", "1")
    send(hand, "bob", "99")
    reply(hand, "0088")
    assert seen_by(hand) == {"bob"}
