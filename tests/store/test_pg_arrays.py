"""Lists that reach PostgreSQL as texts: they come back as they were, whatever they hold."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, BigInteger, Boolean, Column, Engine, Float, String, literal, select
from sqlalchemy.exc import DataError

from worker.store.db import pg_arrays
from worker.store.db.clock import Instant
from worker.store.db.database import reading, writing
from worker.store.schema.tables import campaign

COLUMNS = {
    "text": Column("text", String(9)),
    "number": Column("number", BigInteger),
    "part": Column("part", Float),
    "true": Column("true", Boolean),
    "json": Column("json", JSON),
    "at": Column("at", Instant()),
}
# The marks among the letters, and what may stand for one of them.
TEXTS = st.text(
    st.sampled_from([*"ab,{}\"'\\ \n\t京😀", *pg_arrays.DEFAULT_MARKERS, "\ue000", "\ue001"])
)
ROWS = st.fixed_dictionaries(
    {
        "text": st.none() | TEXTS,
        "number": st.none() | st.integers(-(2**63), 2**63 - 1),
        "part": st.none() | st.floats(allow_nan=False),
        "true": st.none() | st.booleans(),
        "json": st.none() | st.lists(TEXTS | st.integers(0, 9)) | st.dictionaries(TEXTS, TEXTS),
        "at": st.none() | st.datetimes(datetime(1990, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    }
)
LAW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

on_postgresql = pytest.mark.parametrize("kind", ["postgresql"])


@on_postgresql
@LAW
@given(st.lists(ROWS, min_size=1, max_size=8))
def test_rows_come_back_as_they_were(engine: Engine, rows: list[dict[str, Any]]) -> None:
    handed, said = pg_arrays.parameter_table(COLUMNS), pg_arrays.literal_table(rows, **COLUMNS)
    with reading(engine) as connection:
        for table, values in ((handed, pg_arrays.packed_columns(rows)), (said, {})):
            found = connection.execute(select(table), values).all()
            assert [row._asdict() for row in found] == rows


@on_postgresql
@LAW
@given(st.lists(TEXTS, max_size=6), TEXTS)
def test_a_value_is_among_those_that_are_given(engine: Engine, values: list[str], one: str) -> None:
    column: Any = literal(one, String())
    with reading(engine) as connection:
        found = connection.execute(select(pg_arrays.equals_any(column, values))).scalar()
    assert found is (one in values)


@on_postgresql
def test_what_is_too_long_for_its_column_is_not_cut_off(engine: Engine) -> None:
    rows = [{"request_id": 1, "name": "x" * 201, "state": "ready"}]
    each = pg_arrays.parameter_table({name: campaign.c[name] for name in rows[0]})
    storing = campaign.insert().from_select(list(rows[0]), select(each))
    with pytest.raises(DataError), writing(engine) as connection:
        connection.execute(storing, pg_arrays.packed_columns(rows))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        pg_arrays.packed_columns([{"at": datetime(2026, 1, 1)}])  # noqa: DTZ001
