"""The Celery door: what a payload may hold, the allowances for codes, and nothing in the log."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import LogCapture

from tests.support.stage import TEXT, Stage, mobiles
from worker.domain.enums import MessageClass
from worker.intake import celery_door

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = ["to", "text", "key", "message_class", "account", "not_before", "client"]
PAYLOADS = st.dictionaries(
    st.sampled_from([*FIELDS, "extension", "template", "variables", "options", "callback_url"])
    | st.text(max_size=4),
    JSON | st.sampled_from(["otp", "notice", "bulk", "13800000001", "\0", "\ud800", "{x}"]),
)
NUMBER = "13800000001"


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture
def log() -> Iterator[LogCapture]:
    """The entries of the log."""
    captured = LogCapture()
    structlog.configure(processors=[captured])
    yield captured
    structlog.reset_defaults()


def payload(key: str, to: str = NUMBER, **more: Any) -> dict[str, Any]:
    return {"version": 1, "key": key, "to": [to], "text": TEXT, "message_class": "otp", **more}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_a_number_is_sent_so_many_codes_and_no_more(stage: Stage, log: LogCapture) -> None:
    """A payload that is delivered again counts once, and a notice counts nothing."""
    stage.configure(web={"otp_per_recipient": ["2/1h"], "otp_per_client": []})
    taken = [
        celery_door.accept(stage.settings, payload(key)) is not None
        for key in ("a", "a", "b", "c", "b")
    ]
    assert taken == [True, True, True, False, True]
    assert [entry["event"] for entry in log.entries] == ["door.too_many_codes"]
    assert celery_door.accept(stage.settings, payload("d", message_class="notice"))


def test_a_client_is_sent_so_many_codes_to_whatever_numbers(stage: Stage) -> None:
    stage.configure(web={"otp_per_recipient": [], "otp_per_client": ["2/1h"]})
    clients = ["203.0.113.7", "203.0.113.7:5123", "203.0.113.007", "203.0.113.8", None]
    taken = [
        celery_door.accept(stage.settings, payload(number, number, client=client))
        for number, client in zip(mobiles(5), clients, strict=True)
    ]
    otp = MessageClass.OTP
    assert taken == [otp, otp, None, otp, otp]


def test_a_key_is_logged_without_the_number_in_it(stage: Stage, log: LogCapture) -> None:
    key = f"code-{NUMBER}"
    celery_door.accept(stage.settings, payload(key))
    celery_door.accept(stage.settings, payload(key, text=f"{TEXT}。"))
    (entry,) = log.entries
    assert entry["event"] == "door.key_conflict"
    assert entry["key"] == "code-138****0001"


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(PAYLOADS, st.sampled_from([{}, payload("k")]))
def test_any_payload_is_stored_or_refused_and_its_values_are_not_logged(
    stage: Stage, log: LogCapture, values: dict[str, Any], others: dict[str, Any]
) -> None:
    log.entries.clear()
    celery_door.accept(stage.settings, others | values)
    for entry in log.entries:
        assert set(entry) <= {"event", "log_level", "problems", "key", "wait_seconds"}
        assert NUMBER not in str(entry)
        places = {place.partition(",")[0] for place in entry.get("problems", [])}
        assert places <= {*FIELDS, "extension", "template", "variables", "options", "version"} | {
            *("callback_url", "payload", "sender")
        }


@pytest.mark.parametrize("said", [None, 5, [], "13800000001", [["13800000001"]]])
def test_what_is_no_json_object_is_refused(stage: Stage, log: LogCapture, said: object) -> None:
    assert celery_door.accept(stage.settings, said) is None
    assert [entry["problems"] for entry in log.entries] == [["payload"]]
