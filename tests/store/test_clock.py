"""Moments: aware and in UTC everywhere, compared on the database's clock."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import StatementError

from worker.store.db.clock import later, now
from worker.store.db.database import reading, writing
from worker.store.schema.tables import tick

SHANGHAI = timezone(timedelta(hours=8))
AT = datetime(2026, 3, 1, 23, 59, 59, 123456, tzinfo=SHANGHAI)


def stored(engine: Engine, name: str) -> datetime:
    with reading(engine) as connection:
        query = select(tick.c.next_at).where(tick.c.name == name)
        found: datetime = connection.execute(query).scalar_one()
        return found


def test_a_moment_comes_back_as_the_same_moment_in_utc(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(insert(tick).values(name="x", next_at=AT))
    found = stored(engine, "x")
    assert found == AT
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(engine: Engine) -> None:
    naive = AT.replace(tzinfo=None)
    with pytest.raises(StatementError, match="without a zone"), writing(engine) as connection:
        connection.execute(insert(tick).values(name="x", next_at=naive))


@pytest.mark.parametrize("seconds", [0.0, 0.5, -0.25, 90, -259_200, 86_400 * 400, 1e-05])
def test_later_is_so_many_seconds_from_now_on_the_databases_clock(
    engine: Engine, seconds: float
) -> None:
    with writing(engine) as connection:
        connection.execute(insert(tick).values(name="x", next_at=later(seconds)))
    away = stored(engine, "x") - datetime.now(UTC)
    assert abs(away.total_seconds() - seconds) < 2


def test_moments_sort_as_they_follow_each_other(engine: Engine) -> None:
    """Whether Python or the database wrote them, to the millisecond."""
    start = datetime.now(UTC).replace(microsecond=0)
    with writing(engine) as connection:
        for nth, micro in enumerate((0, 999, 1000, 500_000, 999_999)):
            moment = start + timedelta(microseconds=micro)
            connection.execute(insert(tick).values(name=str(nth), next_at=moment))
        connection.execute(insert(tick).values(name="past", next_at=later(-5)))
        connection.execute(insert(tick).values(name="soon", next_at=later(5)))
        names = select(tick.c.name).order_by(tick.c.next_at)
        assert list(connection.execute(names).scalars()) == ["past", *"01234", "soon"]
        due = connection.execute(select(tick.c.name).where(tick.c.next_at <= now())).scalars()
        assert "soon" not in set(due)
        connection.execute(update(tick).values(next_at=now()))
        assert len(connection.execute(names.where(tick.c.next_at <= now())).all()) == 7
