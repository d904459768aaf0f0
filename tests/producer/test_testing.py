"""`producer.testing`: a test sees what its application would send, by the checks of `enqueue`."""

import asyncio
import csv
import io
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import producer
from producer import testing
from producer.options import MessageOptions
from producer.testing.fixtures import sms_outbox
from tests.support.stage import TEXT, Stage
from worker.domain.errors import KeyConflict, NotFound, Refused

__all__ = ["sms_outbox"]

TO = "13800138000"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a configuration, and no default producer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(producer, "_default", None)


def test_what_is_enqueued_is_seen_and_nothing_is_stored(tmp_path: Path) -> None:
    with testing.outbox() as sent:
        accepted = producer.enqueue(
            ["+86 138 0013 8000", "13900000000", TO],
            "【信使】{name}您好",
            variables={"name": "小明"},
            message_class="otp",
            metadata={"order": "1001"},
        )
    assert [message.to for message in sent] == [TO, "13900000000"]
    assert {message.text for message in sent} == {"【信使】小明您好"}
    assert sent[0].message_class == "otp"
    assert sent[0].metadata == {"order": "1001"}
    assert accepted.ids == (sent[0].id, sent[1].id, sent[0].id)
    assert list(tmp_path.iterdir()) == []


def test_every_option_of_a_message_is_seen() -> None:
    assert MessageOptions.__annotations__.keys() <= testing.SentMessage.__dataclass_fields__.keys()


@pytest.mark.parametrize(
    ("to", "text", "options"),
    [
        ("138", TEXT, {}),
        (TO, "", {}),
        (TO, "【信使】{name}", {}),
        (TO, TEXT, {"not_before": datetime(2026, 1, 1)}),  # noqa: DTZ001 - what is refused
        (TO, TEXT, {"message_class": "opt"}),
        (TO, TEXT, {"metadata": {"a": "x" * 2000}}),
        (TO, TEXT, {"callback_url": "shop"}),
    ],
)
def test_what_enqueue_refuses_is_refused(to: str, text: str, options: MessageOptions) -> None:
    with testing.outbox() as sent, pytest.raises(Refused):
        producer.enqueue(to, text, **options)
    assert sent == []


def test_a_key_makes_it_one_message(sms_outbox: list[testing.SentMessage]) -> None:
    first = producer.enqueue(TO, TEXT, key="order-1")
    again = producer.enqueue(TO, TEXT, key="order-1")
    assert (again.ids, again.repeated) == (first.ids, True)
    assert len(sms_outbox) == 1
    with pytest.raises(KeyConflict):
        producer.enqueue(TO, f"{TEXT}。", key="order-1")
    assert not producer.enqueue(TO, TEXT, key="order-1", sender="other").repeated


def test_it_sees_what_joins_a_transaction_and_leaves_that_alone(
    sms_outbox: list[testing.SentMessage],
) -> None:
    engine = create_engine("sqlite://")
    with Session(engine) as session, session.begin():
        producer.enqueue(TO, TEXT, session=session)
    connection = sqlite3.connect(":memory:")
    producer.enqueue(TO, TEXT, connection=connection)
    asyncio.run(producer.enqueue_async(TO, TEXT))
    connection.close()
    engine.dispose()
    assert len(sms_outbox) == 3


def test_other_threads_are_seen(sms_outbox: list[testing.SentMessage]) -> None:
    threads = [threading.Thread(target=producer.enqueue, args=(TO, TEXT)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({message.id for message in sms_outbox}) == 8


def test_a_campaign_is_seen_as_its_recipients_read_it(
    sms_outbox: list[testing.SentMessage],
) -> None:
    rows = [
        {"to": TO, "name": "小明"},
        {"to": "13900000000", "name": "小红"},
        {"to": TO, "name": "x"},
    ]
    loaded = producer.enqueue_campaign("spring", rows, "【信使】{name}，回T退订", key="spring")
    again = producer.enqueue_campaign("spring", rows, "【信使】{name}，回T退订", key="spring")
    assert (loaded.total, loaded.repeated, again.id) == (2, 1, loaded.id)
    assert [message.text for message in sms_outbox] == [
        "【信使】小明，回T退订",
        "【信使】小红，回T退订",
    ]
    assert {message.campaign for message in sms_outbox} == {"spring"}


def test_a_campaign_from_a_file_is_seen_too(sms_outbox: list[testing.SentMessage]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([["手机号"], [TO], ["12"]])
    loaded = producer.enqueue_campaign("x", io.BytesIO(file.getvalue().encode()), TEXT)
    assert (loaded.total, loaded.invalid, sms_outbox) == (1, 1, [])
    file.seek(0)
    producer.enqueue_campaign("x", io.BytesIO(file.read().encode()), TEXT, skip_bad=True)
    assert [message.to for message in sms_outbox] == [TO]


def test_a_message_is_looked_up_and_taken_back(sms_outbox: list[testing.SentMessage]) -> None:
    message_id = producer.enqueue(TO, TEXT).ids[0]
    assert producer.get(message_id).state == "queued"
    assert producer.cancel(message_id).state == "cancelled"
    assert producer.get(message_id).state == "cancelled"
    assert [message.id for message in sms_outbox] == [message_id]
    assert producer.ring()
    with pytest.raises(NotFound):
        producer.get("999-0")


def test_after_the_block_messages_are_stored_again(stage: Stage) -> None:
    with producer.replaced_default(stage.producer):
        with testing.outbox() as sent:
            captured = producer.enqueue(TO, TEXT)
        assert [message.id for message in sent] == list(captured.ids)
        stored = producer.enqueue("13900000000", TEXT)
    assert stage.message(stored.ids[0]).to == "13900000000"


def test_with_a_configuration_its_accounts_are_checked(tmp_path: Path) -> None:
    config = tmp_path / "xinshi.toml"
    config.write_text(
        '[accounts.bulk]\ngateway = "c123"\nuid = "1"\npassword = "1"\nclasses = ["notice"]\n'
    )
    with testing.outbox() as sent:
        producer.enqueue(TO, TEXT, account="anything")
    with testing.outbox(config):
        producer.enqueue(TO, TEXT, account="bulk")
        for options in ({"account": "anything"}, {"message_class": "otp"}):
            with pytest.raises(Refused):
                producer.enqueue(TO, TEXT, **options)
    assert [message.account for message in sent] == ["anything"]


def test_what_needs_a_database_says_so(sms_outbox: list[testing.SentMessage]) -> None:
    with pytest.raises(RuntimeError, match="has no database"):
        _ = producer._producer().engine
    assert sms_outbox == []


def test_times_are_kept(sms_outbox: list[testing.SentMessage]) -> None:
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    producer.enqueue(TO, TEXT, not_before=moment)
    assert sms_outbox[0].not_before == moment
