"""What `GET /metrics` shows, to whom, and how little it asks of the database."""

import sys
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from producer.web import database_metrics
from tests.support.stage import mobiles
from tests.web.conftest import Served
from worker.delivery import manual_hold
from worker.domain.enums import Scope


def scrape(served: Served, key: str) -> dict[str, dict[tuple[str, ...], float]]:
    answer = served.client(key).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        families[family.name] = {
            tuple(sample.labels.values()): sample.value for sample in family.samples
        }
    return families


def test_it_takes_a_key_that_may_look_and_no_other(served: Served) -> None:
    others = [scope for scope in Scope if scope is not Scope.LOOK]
    assert httpx.get(f"{served.url}/metrics", trust_env=False).status_code == 401
    assert served.client(served.key("shop", *others)).get("/metrics").status_code == 403
    assert served.client(served.key("monitor", Scope.LOOK)).get("/metrics").status_code == 200


def test_it_shows_how_things_stand_in_words_of_ours(served: Served) -> None:
    key = served.key("monitor", Scope.LOOK)
    served.stage.enqueue(mobiles(3))
    manual_hold.hold(served.stage.engine, "bulk", "unpaid 13800138000", "ann")
    figures = scrape(served, key)
    assert set(figures) == {
        *(figure.name for figure in database_metrics.FIGURES),
        *("xinshi_unread_figures", "xinshi_schema_outdated"),
    }
    assert figures["xinshi_waiting_messages"]["notice",] == 3
    assert figures["xinshi_oldest_due_seconds"]["otp",] == 0
    assert figures["xinshi_oldest_due_seconds"]["notice",] > 0
    held = {name for (name,), is_held in figures["xinshi_account_held"].items() if is_held}
    assert held == {"bulk"}
    assert figures["xinshi_unread_figures"][()] == 0
    assert figures["xinshi_schema_outdated"][()] == 0
    assert "138" not in served.client(key).get("/metrics").text


def test_without_the_extra_it_says_what_to_install(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = served.client(served.key("monitor", Scope.LOOK)).get("/metrics")
    assert answer.status_code == 404
    assert "xinshi[metrics]" in answer.json()["detail"]


def test_the_database_is_asked_once_in_ten_seconds(served: Served) -> None:
    key = served.key("monitor", Scope.LOOK)
    scrape(served, key)
    engine: Any = served.server.config.app.state.context.engine
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        scrape(served, key)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert not [statement for statement in statements if "xinshi_submission" in statement]


def test_a_figure_that_takes_too_long_is_left_out_and_counted(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_metrics, "STATEMENT_SECONDS", 0.1)

    def count_for_ever(connection: Any, _settings: Any) -> dict[Any, float]:
        slow = (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT sum(n) FROM c"
        )
        return {("otp",): connection.exec_driver_sql(slow).scalar()}

    first, *others = database_metrics.FIGURES
    slow = first._replace(read=count_for_ever)
    monkeypatch.setattr(database_metrics, "FIGURES", (slow, *others))
    figures = scrape(served, served.key("monitor", Scope.LOOK))
    assert figures["xinshi_unread_figures"][()] == 1
    assert not figures.get(first.name)
    assert len(figures["xinshi_account_held"]) == len(served.stage.settings.accounts)
