"""`xinshi opt-out`: who opted out by which reply, and how a leaked token's work is undone."""

from tests.cli.conftest import Place
from tests.support.stage import mobiles
from worker.config import settings
from worker.feedback import inbound, opt_out_origins
from worker.gateways.results import InboundMessage
from worker.store.db import database
from worker.store.feedback import inbox as inbox_store


def push(place: Place, *senders: str) -> None:
    with database.writing(place.engine) as connection:
        inbox_id = inbox_store.add_page(connection, "v1", "push", b"")
        page = [(inbox_id, InboundMessage(sender, "TD")) for sender in senders]
        inbound.take_pages(connection, settings.load(), "v1", page)


def test_opt_outs_are_listed_with_their_origin_and_taken_back(place: Place) -> None:
    place.configure("v1", "jzy")
    strangers = mobiles(20)
    push(place, *strangers)
    (row, *_) = place.data("opt-out", "list", "--account", "v1")
    assert row["written_to"] is None
    opt_out_origins.look_up(place.engine, settings.load())
    listed = place.data("opt-out", "list", "--strange", "--limit", "50")
    assert {row["to"] for row in listed} == set(strangers)
    assert {(row["account"], row["kind"], row["written_to"]) for row in listed} == {
        ("v1", "push", False)
    }
    assert "push 1" in place.done("opt-out", "list")
    checks = {check["what"]: check for check in place.data("doctor", code=1)}
    assert "20 numbers" in checks["opt-outs of v1"]["problem"]
    removal = ("opt-out", "undo", "--account", "v1", "--strange")
    assert place.data(*removal, "--dry-run")["removed"] == 20
    assert place.done(*removal) == "20 taken back\n"
    assert place.data("opt-out", "list") == []
    assert "opt-outs of v1" not in {check["what"] for check in place.data("doctor", code=1)}


def test_a_person_decides_on_replies_that_are_near_to_an_opt_out(place: Place) -> None:
    place.configure("v1", "jzy")
    texts = ["我要退订", "不要再发了吧", "别发了", "T恤有货吗"]
    with database.writing(place.engine) as connection:
        inbox_id = inbox_store.add_page(connection, "v1", "push", b"")
        page = [
            (inbox_id, InboundMessage(sender, text))
            for sender, text in zip(mobiles(4), texts, strict=True)
        ]
        inbound.take_pages(connection, settings.load(), "v1", page)
    ids = [str(row["id"]) for row in reversed(place.data("inbound", "--unclear"))]
    assert len(ids) == 3
    assert "dismissed" in place.done("opt-out", "dismiss", ids[0], ids[1])
    assert f"reply {ids[0]} is not unclear: it asks for none" in place.fails(
        "opt-out", "dismiss", ids[0], code=2
    )
    assert "gets no more advertising" in place.done("opt-out", "accept", ids[2])
    assert place.data("inbound", "--unclear") == []
    assert [row["to"] for row in place.data("opt-out", "list")] == [mobiles(4)[2]]
    counts = place.data("opt-out", "reread")
    assert counts == {"read": 1, "out": 0, "in": 0, "near": 0, "opted_out": 0, "dry_run": False}
    assert "1 read: 0 ask for no more" in place.done("opt-out", "reread", "--dry-run")
