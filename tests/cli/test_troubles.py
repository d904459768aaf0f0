"""What workers could not do by themselves is `doctor`'s business, and a person's to mend."""

import pytest
from sqlalchemy import update

from tests.cli.conftest import Place
from worker.config import settings
from worker.feedback import unread_pages
from worker.gateways.adapters.apiv1 import ApiV1
from worker.gateways.page_contents import CUT_HEADER
from worker.store import events, ticks
from worker.store.db import database
from worker.store.db.clock import later
from worker.store.feedback import inbox as inbox_store
from worker.store.schema.tables import event, inbox

PAGE = (
    b'{"code":"00","data":[{"mobile":"13800138002","content":"TD","times":"2026-01-02 03:04:05"}]}'
)


def troubles(place: Place, *words: str) -> dict[str, str]:
    checks = place.data("doctor", *words, code=0 if words else 1)
    return {
        check["what"]: f"{check['problem']} {check['advice']}"
        for check in checks
        if check["what"].startswith(("tick ", "pages ", "pushes "))
    }


def add_page(place: Place) -> int:
    with database.writing(place.engine) as connection:
        return inbox_store.add_page(connection, "v1", "inbound", PAGE, status=200)


@pytest.mark.parametrize("words", [(), ("--probe",)])
def test_a_tick_that_failed_twice_is_named_with_its_reason(
    place: Place, words: tuple[str, ...]
) -> None:
    """A probe shows it, and does not ask for a restart."""
    place.configure("v1")
    with database.writing(place.engine) as connection:
        ticks.ensure(connection, {"sweep", "balance:gone"})
        for name, why in (("sweep", "Oops"), ("balance:gone", "Oops")):
            ticks.take(connection, name, "w", every=60, lease=60)
            ticks.release(connection, name, "w", why)
    assert troubles(place, *words) == {}, "once may be chance"
    with database.writing(place.engine) as connection:
        ticks.take(connection, "sweep", "w", every=60, lease=60, force=True)
        ticks.release(connection, "sweep", "w", "Oops")
    seen = troubles(place, *words)
    assert list(seen) == ["tick sweep"]
    assert "failed 2 times in a row: Oops" in seen["tick sweep"]


@pytest.mark.parametrize("words", [(), ("--probe",)])
def test_a_page_that_was_put_aside_is_shown_until_it_is_read(
    place: Place, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.configure("v1")
    page_id = add_page(place)
    with monkeypatch.context() as patch:
        patch.setattr(ApiV1, "read_inbound", None)
        unread_pages.read_waiting(place.engine, settings.load())
        failed = place.data("collect", "reparse", "--damaged", code=1)
        assert [(page["id"], bool(page["problem"])) for page in failed] == [(page_id, True)]
    seen = troubles(place, *words)["pages of v1"]
    assert f"1 put aside, the first is {page_id}: cannot be read: TypeError" in seen
    assert "xinshi collect reparse" in seen
    (page,) = place.data("collect", "reparse", "--id", str(page_id))
    assert page["new"] == 1
    assert troubles(place, *words) == {}


@pytest.mark.parametrize("words", [(), ("--probe",)])
def test_a_page_that_nobody_reads_is_shown(place: Place, words: tuple[str, ...]) -> None:
    place.configure("v1")
    add_page(place)
    assert troubles(place, *words) == {}
    with database.writing(place.engine) as connection:
        connection.execute(update(inbox).values(received_at=later(-3600)))
    assert "1 not read yet" in troubles(place, *words)["pages of v1"]


@pytest.mark.parametrize("words", [(), ("--probe",)])
def test_a_page_that_came_in_part_is_shown_until_a_person_reads_it(
    place: Place, words: tuple[str, ...]
) -> None:
    """Its whole rows were read by themselves; the others are to be asked for."""
    place.configure("v1")
    with database.writing(place.engine) as connection:
        page_id = inbox_store.add_page(
            *(connection, "v1", "inbound", PAGE[:-1] + b',{"mobile":"1'),
            status=200,
            headers={CUT_HEADER: "Disconnected"},
        )
    unread_pages.read_waiting(place.engine, settings.load())
    seen = troubles(place, *words)["pages of v1"]
    assert f"1 came in part only, the first is {page_id}: cut off: Disconnected" in seen
    (page,) = place.data("collect", "reparse", "--id", str(page_id), code=1)
    assert (page["rows"], page["new"], page["damaged"]) == (1, 0, 1)
    assert troubles(place, *words) == {}


@pytest.mark.parametrize("words", [(), ("--probe",)])
def test_pushes_that_were_refused_are_counted_by_account(
    place: Place, words: tuple[str, ...]
) -> None:
    place.configure("v1")
    details = [
        {"count": 3, "peer": "198.51.100.1"},
        {"count": 2, "peer": "10.0.0.5", "forwarded": "unknown"},
    ]
    with database.writing(place.engine) as connection:
        for detail in details:
            events.add(connection, "push.refused", "web", account="v1", detail=detail)
    seen = troubles(place, *words)["pushes of v1"]
    assert "5 or more were refused since 20" in seen
    assert "the last from 10.0.0.5; X-Forwarded-For says unknown, which is no address" in seen
    with database.writing(place.engine) as connection:
        connection.execute(update(event).values(at=later(-8 * 86400.0)))
    assert troubles(place, *words) == {}
