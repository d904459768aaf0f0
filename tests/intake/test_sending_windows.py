"""A time that lies outside of all sending hours is refused, or said, before anything waits."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.support.by_hand import MARKETING, NOWHERE
from tests.support.doorbell_listener import Listening
from tests.support.stage import LOGINS, mobiles
from worker.config.settings import Settings, parse
from worker.domain.enums import MessageClass, NumberKind
from worker.domain.errors import Problem, Refused
from worker.domain.timezone import SHANGHAI
from worker.gateways.base import Account, Content
from worker.intake import account_checks
from worker.intake.enqueue_request import EnqueueRequest
from worker.policy import eligibility
from worker.store.db.database import reading
from worker.store.schema.tables import request as stored_request

AD = "【信使】周年庆 回T退订"
NOON = datetime(2026, 11, 27, 12, tzinfo=SHANGHAI)
#: Of an account that only says GBK, one that says all, and one that says nothing at night.
HOURS: dict[str, dict[str, Any]] = {
    "bulk": {"sending_hours": "09:00-18:00"},
    "v1": {"sending_hours": "10:00-21:00"},
    "night": {"gateway": "apiv1", "account": "n", "password": "n", "sending_hours": "22:00-02:00"},
}


def made(url: str = "sqlite:////nowhere.db", *names: str, **top: Any) -> Settings:
    """Return settings of some accounts, or all."""
    accounts = {
        name: {**LOGINS.get(name, {}), **HOURS[name], "base_url": NOWHERE}
        for name in names or HOURS
    }
    return parse({"database_url": url, **top, "accounts": accounts}, Path("/"), {})


@pytest.fixture(scope="module")
def settings() -> Settings:
    return made()


def at(day: int, clock: str) -> datetime:
    """Return a time of November in Shanghai, told in another zone: 24:00 is the next day's 0."""
    hour, minute = map(int, clock.split(":"))
    moment = datetime(2026, 11, day, tzinfo=SHANGHAI) + timedelta(hours=hour, minutes=minute)
    return moment.astimezone(UTC)


def findings(settings: Settings, **more: Any) -> tuple[list[str], list[str]]:
    request = EnqueueRequest(
        mobiles(1), more.pop("text", AD), **{"message_class": MARKETING, **more}
    )
    content = Content(request.text)
    problems, warnings = account_checks.account_findings(
        settings, request, content, {NumberKind.MOBILE}, NOON
    )
    return [str(problem) for problem in problems], [str(warning) for warning in warnings]


@pytest.mark.parametrize(
    ("begin", "end", "account", "is_outside"),
    [
        ((27, "18:00"), (27, "18:30"), "bulk", True),
        ((27, "17:59"), (27, "18:30"), "bulk", False),
        ((28, "08:00"), (28, "09:00"), "bulk", True),
        ((28, "08:00"), (28, "09:01"), "bulk", False),
        ((28, "08:00"), (28, "09:01"), None, False),
        ((28, "02:00"), (28, "09:00"), None, True),
        ((28, "21:00"), (28, "22:00"), None, True),
        ((28, "23:00"), (28, "23:01"), None, False),
        ((28, "24:30"), (28, "25:00"), None, False),
        ((28, "01:59"), (28, "03:00"), "night", False),
        ((28, "02:00"), (28, "22:00"), "night", True),
        ((28, "18:00"), (29, "09:00"), "bulk", True),
        ((28, "18:00"), (29, "18:00"), "bulk", False),
        ((27, "20:00"), None, "bulk", False),
        # One that began already: what is left of it lies outside, which is no word of the request.
        ((27, "08:00"), (27, "09:30"), "bulk", False),
    ],
)
def test_a_window_is_refused_where_nobody_who_could_carry_it_sends(
    settings: Settings, begin: Any, end: Any, account: str | None, *, is_outside: bool
) -> None:
    problems, warnings = findings(
        settings, not_before=at(*begin), not_after=end and at(*end), account=account
    )
    assert bool(problems) is is_outside
    assert warnings == []
    for problem in problems:
        assert "sending hours" in problem
        hours = HOURS[account]["sending_hours"] if account else "v1 10:00-21:00"
        assert hours in problem


def test_an_end_alone_is_warned_of_since_the_same_call_may_come_again_later(
    settings: Settings,
) -> None:
    (warning,) = findings(settings, not_after=at(27, "13:00"), account="night")[1]
    assert warning.startswith("not_after: from 2026-11-27 12:00 to 2026-11-27 13:00 no account")
    assert "(sending hours in Asia/Shanghai: night 22:00-02:00)" in warning
    assert findings(settings, not_after=at(27, "13:00")) == ([], [])
    assert findings(settings, not_after=at(27, "22:01"), account="night") == ([], [])


def test_a_window_that_has_begun_is_warned_of_where_the_rest_of_it_lies_outside(
    settings: Settings,
) -> None:
    begun = {"not_before": at(27, "01:00"), "not_after": at(27, "13:00"), "account": "night"}
    problems, (warning,) = findings(settings, **begun)
    assert problems == []
    assert warning.startswith("not_after: from 2026-11-27 12:00 to 2026-11-27 13:00 no account")


def test_each_account_is_asked_once_whether_it_can_carry_the_text(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    problems_of = eligibility.problems

    def ask(account: Account, *rest: Any) -> list[Problem]:
        asked.append(account.name)
        return problems_of(account, *rest)

    monkeypatch.setattr(eligibility, "problems", ask)
    assert findings(settings, not_before=at(28, "02:00"), not_after=at(28, "09:00"))[0]
    assert sorted(asked) == sorted(HOURS)


def test_accounts_that_cannot_carry_the_text_do_not_count(settings: Settings) -> None:
    window = {"not_before": at(28, "09:00"), "not_after": at(28, "10:00")}
    assert findings(settings, **window) == ([], [])
    (problem,) = findings(settings, text=f"{AD} 𠮷", **window)[0]
    assert "v1 10:00-21:00, night 22:00-02:00" in problem
    assert "bulk" not in problem


@pytest.mark.parametrize("message_class", [MessageClass.OTP, MessageClass.NOTICE])
def test_codes_and_notices_have_no_hours(settings: Settings, message_class: MessageClass) -> None:
    window = {"not_before": at(28, "03:00"), "not_after": at(28, "04:00")}
    assert findings(settings, message_class=message_class, **window) == ([], [])


def test_a_short_validity_ends_a_window_too() -> None:
    settings = made("sqlite:////nowhere.db", "bulk", valid_marketing="2h")
    assert findings(settings, not_before=at(27, "20:00"))[0]
    assert findings(settings, not_before=at(28, "08:00")) == ([], [])


def test_a_window_is_outside_exactly_where_no_minute_of_it_is_inside(settings: Settings) -> None:
    """The law, minute by minute, over windows of all lengths up to a day."""
    bulk = settings.accounts["bulk"]
    for begin_minute in range(0, 1440, 47):
        for length in (1, 30, 539, 600, 900, 1439):
            begin = at(28, "00:00") + timedelta(minutes=begin_minute)
            inside = any(
                eligibility.seconds_until_open(bulk, begin + timedelta(minutes=minute)) == 0
                for minute in range(length)
            )
            window = {"not_before": begin, "not_after": begin + timedelta(minutes=length)}
            assert bool(findings(settings, account="bulk", **window)[0]) is not inside


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.usefixtures("engine")
def test_every_call_refuses_it_and_stores_nothing(database: str) -> None:
    with closing(Listening(made(database))) as producer:
        _refuses_by_every_call(producer)


def _refuses_by_every_call(producer: Listening) -> None:
    begin = datetime.now(SHANGHAI).replace(hour=3, minute=0) + timedelta(days=1)
    window: dict[str, Any] = {"not_before": begin, "not_after": begin + timedelta(hours=1)}
    for call in (
        lambda: producer.enqueue(mobiles(1), AD, message_class=MARKETING, **window),
        lambda: producer.enqueue_campaign("x", mobiles(3), AD, **window),
        lambda: producer.enqueue_campaign("x", BytesIO(b"msisdn\n13800138000\n"), AD, **window),
    ):
        with pytest.raises(Refused, match=r"not_before: from .*sending hours"):
            call()
    with reading(producer.engine) as connection:
        assert connection.execute(select(func.count()).select_from(stored_request)).scalar() == 0
