"""Campaigns from the command line: loaded, started, stopped, watched, exported, tried again."""

import codecs
import csv
import errno
import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from producer.cli import campaign_progress, output
from tests.cli.conftest import Place
from tests.support.stage import eventually, mobiles, section
from worker.config import settings
from worker.domain.errors import Unavailable
from worker.intake import campaign_numbers, campaign_rows, campaign_writer
from worker.store import accounts
from worker.store.db import database
from worker.store.db.clock import later, now
from worker.store.delivery import account_doubts
from worker.store.intake import requests
from worker.store.schema.tables import account_state, opt_out, submission

TEXT = "【店】大促 回T退订"


def create(place: Place, file: str, *words: str, text: str = TEXT, code: int = 0) -> Any:
    """Create a campaign by the account that has no reports, and return it."""
    given = ["--text", text, "--recipients", file, "--account", "bulk", *words]
    return place.data("campaign", "create", *given, code=code)


def numbers(place: Place, count: int) -> str:
    """Write a file of so many numbers."""
    return place.write("numbers.csv", "\n".join(mobiles(count)))


def test_a_campaign_is_loaded_and_carried_out(place: Place) -> None:
    found = create(place, numbers(place, 30), "--name", "autumn")
    assert (found["name"], found["total"], found["class"]) == ("autumn", 30, "marketing")
    assert "bad_rows" not in found
    with place.working():
        eventually(lambda: place.data("campaign", "show", "1")["state"] == "done")
    assert place.data("campaign", "show", "1")["states"] == {"submitted": 30}
    assert sum(1 for _ in place.sandbox.taken()) == 30


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_each_recipient_gets_a_text_of_its_own(place: Place, encoding: str) -> None:
    rows = "姓名;手机号\r\n安娜;13812345678\r\n王五;13912345678\r\n"
    create(place, place.write("people.csv", rows, encoding), text="【店】{姓名}您好 回T退订")
    with place.working():
        eventually(lambda: place.data("campaign", "show", "1")["state"] == "done")
    assert {one.text for one in place.sandbox.taken()} == {
        "【店】安娜您好 回T退订",
        "【店】王五您好 回T退订",
    }


def test_recipients_may_come_from_standard_input(place: Place) -> None:
    words = ["--text", TEXT, "--recipients", "-", "--account", "bulk"]
    found = place.data("campaign", "create", *words, typed="\n".join(mobiles(3)))
    assert found["total"] == 3


def test_with_a_bad_row_nothing_is_sent(place: Place) -> None:
    file = place.write("bad.csv", "13812345678\n1381234567\n13812345678\n1.38123E+10\n")
    found = create(place, file, code=1)
    assert (found["state"], found["total"]) == ("ready", 1)
    assert found["left_out"] == {"invalid": 2, "repeated": 1, "suppressed": 0}
    assert [one["row"] for one in found["bad_rows"]] == ["row 2", "row 4"]
    said = place.fails("campaign", "create", "--text", TEXT, "--recipients", file)
    assert "row 2: 138****4567 has 10 digits" in said
    assert "xinshi campaign resume 2" in said
    assert "1381234567" not in said


def test_bad_rows_can_be_left_out(place: Place) -> None:
    file = place.write("bad.csv", "13812345678\n1381234567\n")
    found = create(place, file, "--skip-bad")
    assert (found["state"], found["total"], len(found["bad_rows"])) == ("running", 1, 1)


def test_a_value_that_the_account_cannot_say_makes_its_row_a_bad_one(place: Place) -> None:
    file = place.write("people.csv", "phone,name\n13812345678,安娜\n13912345678,😀\n")
    found = create(place, file, text="【店】{name}您好", code=1)
    (bad,) = found["bad_rows"]
    assert bad["row"] == "row 3"
    assert "gbk" in bad["what"]


def test_how_a_file_was_read_is_printed_and_can_be_told(place: Place) -> None:
    rows = "名单\n客户~Nummer\n安娜~13812345678\n合计~1\n"
    file = place.write("people.csv", rows, "gbk")
    told = ["--column", "Nummer", "--delimiter", "~", "--header-row", "2", "--encoding", "gbk"]
    given = ["--text", "【店】{客户}您好 回T退订", "--recipients", file, "--account", "bulk", *told]
    found = place.data("campaign", "create", *given)
    assert found["total"] == 1
    assert (found["file"]["encoding"], found["file"]["column"]) == ("gb18030", "Nummer")
    assert found["file"]["skipped_lines"] == 2
    printed = place.run("campaign", "create", *given).stderr
    assert "read as gb18030, separated by '~'; header in line 2; numbers in Nummer" in printed
    assert "skipped line 4: a sum or a note" in printed


def test_odd_values_are_allowed_by_name(place: Place) -> None:
    file = place.write("people.csv", "phone,name\n13812345678,NULL\n")
    found = create(place, file, text="【店】{name}您好", code=1)
    assert "allow missing-values" in found["bad_rows"][0]["what"]
    found = create(place, file, "--allow", "missing-values", text="【店】{name}您好")
    assert found["total"] == 1
    words = ["--text", TEXT, "--recipients", file, "--allow", "everything"]
    assert "everything" in place.fails("campaign", "create", *words, code=2)


def test_a_bad_row_of_several_lines_is_counted_by_its_lines(place: Place) -> None:
    file = place.write("people.csv", 'phone,name\n13812345678,"x\n13812345679,y"\n13812345670,z\n')
    found = create(place, file, code=1)
    assert (found["total"], found["left_out"]["invalid"]) == (1, 2)
    assert found["bad_rows"][0]["row"] == "rows 2 to 3"


@pytest.mark.parametrize(
    ("rows", "text", "said"),
    [
        ("name,city\nAnna,Beijing\n", TEXT, "the headers are: name, city"),
        ("mobile,phone\n13812345678,13912345678\n", TEXT, "mobile and phone could both be"),
        ("phone,name\n13812345678,Anna\n", "【店】{nmae}您好", "did you mean name?"),
        ("13812345678\n", "【店】{name}您好", "the file has no header"),
        ("phone\n", TEXT, "no rows"),
        ("", TEXT, "is empty"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_before_anything_is_stored(
    place: Place, rows: str, text: str, said: str
) -> None:
    file = place.write("people.csv", rows)
    words = ["campaign", "create", "--text", text, "--recipients", file]
    assert said in place.fails(*words, code=2)
    assert place.data("campaign", "list") == []


def test_a_campaign_can_be_loaded_now_and_started_later(place: Place) -> None:
    assert create(place, numbers(place, 3), "--paused")["state"] == "ready"
    assert place.data("campaign", "resume", "1")["state"] == "running"
    assert "campaign 1 is running already" in place.fails("campaign", "start", "1")
    assert place.data("campaign", "pause", "1")["state"] == "paused"
    assert place.data("campaign", "resume", "1", "--until", "+2h")["state"] == "running"
    found = place.data("campaign", "cancel", "1")
    assert (found["state"], found["states"]) == ("cancelled", {"cancelled": 3})
    assert "is cancelled and cannot run" in place.fails("campaign", "resume", "1")


def test_the_same_key_is_one_campaign(place: Place) -> None:
    file = numbers(place, 3)
    first = create(place, file, "--key", "autumn")
    assert create(place, file, "--key", "autumn")["id"] == first["id"]
    assert len(place.data("campaign", "list")) == 1
    numbers(place, 4)
    words = ["--text", TEXT, "--recipients", file, "--account", "bulk", "--key", "autumn"]
    assert "key: was used before" in place.fails("campaign", "create", *words)


def test_campaigns_are_listed_the_newest_first(place: Place) -> None:
    create(place, numbers(place, 2), "--name", "first")
    create(place, numbers(place, 3), "--name", "second")
    found = place.data("campaign", "list")
    assert [one["name"] for one in found] == ["second", "first"]
    shown = place.done("campaign", "list")
    assert shown.index("second") < shown.index("first")
    assert len(place.data("campaign", "list", "--limit", "1")) == 1


def test_every_message_is_exported_in_order(place: Place) -> None:
    create(place, numbers(place, 25))
    with place.working():
        eventually(lambda: place.data("campaign", "show", "1")["state"] == "done")
    printed = place.done("campaign", "export", "1")
    place.done("campaign", "export", "1", "--output", "result.csv")
    written = (place.folder / "result.csv").read_text("utf-8")
    assert written.splitlines() == printed.splitlines()
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert ",".join(rows[0]) == (
        "to,state,code,code_text,account,gateway_id,attempts,submitted_at,finished_at,key,metadata,row,reason"
    )
    assert [row["to"] for row in rows] == mobiles(25)
    assert {(row["state"], row["code"], row["account"]) for row in rows} == {
        ("submitted", "100", "bulk")
    }
    assert not list(place.folder.glob("*.part"))


def test_an_export_names_everyone_who_was_left_out_and_why(place: Place) -> None:
    first, second, gone = mobiles(3)
    with database.writing(place.engine) as connection:
        connection.execute(insert(opt_out).values(msisdn=gone, since=now(), why="a test"))
    lines = ["phone", first, "=1380013", f"{first[:3]}-{first[3:]}", gone, second]
    create(place, place.write("list.csv", "\n".join(lines)), "--skip-bad")
    rows = list(csv.DictReader(io.StringIO(place.done("campaign", "export", "1"))))
    assert [row["to"] for row in rows[:2]] == [first, second]
    assert [(row["state"], row["row"]) for row in rows[:2]] == [("queued", "")] * 2
    left_out = [(row["to"], row["state"], row["row"], row["reason"]) for row in rows[2:]]
    assert left_out[1:] == [
        (first, "left out", "4", "the number stands in an earlier row"),
        (gone, "left out", "5", "the number has opted out"),
    ]
    number, *where, reason = left_out[0]
    # As it stood, and no formula for a spreadsheet.
    assert (number, where) == ("'=1380013", ["left out", "3"])
    assert reason
    assert "1380013" not in reason


def test_an_export_can_be_read_by_a_spreadsheet(place: Place) -> None:
    """It begins with the mark that says UTF-8, and no gateway's words are a formula."""
    create(place, numbers(place, 1))
    with place.working():
        eventually(lambda: place.data("campaign", "show", "1")["state"] == "done")
    with database.writing(place.engine) as connection:
        connection.execute(update(submission).values(words='=HYPERLINK("http://x")'))
    place.done("campaign", "export", "1", "--output", "result.csv", "--excel")
    written = (place.folder / "result.csv").read_bytes()
    assert written.startswith(codecs.BOM_UTF8 + b"to,")
    (row,) = csv.DictReader(io.StringIO(written.decode("utf-8-sig")))
    assert row["code_text"] == '\'=HYPERLINK("http://x")'


def test_a_campaign_of_codes_is_refused(place: Place) -> None:
    words = ["--text", TEXT, "--recipients", numbers(place, 2), "--class", "otp"]
    assert "for one person" in place.fails("campaign", "create", *words, code=2)
    assert place.data("campaign", "list") == []


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
def test_no_words_of_a_gateway_are_a_formula_in_half_or_full_width(place: Place, sign: str) -> None:
    create(place, numbers(place, 1))
    with place.working():
        eventually(lambda: place.data("campaign", "show", "1")["state"] == "done")
    with database.writing(place.engine) as connection:
        connection.execute(update(submission).values(words=f"{sign}1"))
    (row,) = csv.DictReader(io.StringIO(place.done("campaign", "export", "1")))
    assert row["code_text"] == f"'{sign}1"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_an_export_is_its_owner_s_alone(place: Place, umask: int) -> None:
    """It holds whole numbers: whatever the umask is, what stood there, or what broke off before."""
    create(place, numbers(place, 1))
    for name in ("result.csv", "result.csv.part"):
        place.write(name, "old")
        (place.folder / name).chmod(0o666)
    before = os.umask(umask)
    try:
        place.done("campaign", "export", "1", "--output", "result.csv")
        place.done("campaign", "export", "1", "--output", "new.csv")
    finally:
        os.umask(before)
    for name in ("result.csv", "new.csv"):
        assert stat.S_IMODE((place.folder / name).stat().st_mode) == 0o600
        assert (place.folder / name).read_text("utf-8").startswith("to,")


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted; result.csv is as it was before"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 1, "result.csv: No space left"),
    ],
    ids=["ctrl_c", "disk_full"],
)
def test_an_export_that_breaks_off_leaves_the_old_file(
    place: Place, monkeypatch: pytest.MonkeyPatch, fault: BaseException, code: int, said: str
) -> None:
    place.write("result.csv", "old")
    create(place, numbers(place, 25))

    def broken(*_words: Any) -> Iterator[list[Any]]:
        yield [["13800000001"]]
        raise fault

    monkeypatch.setattr(campaign_rows, "export_parts", broken)
    words = ["campaign", "export", "1", "--output", "result.csv"]
    assert said in place.fails(*words, code=code)
    assert (place.folder / "result.csv").read_text() == "old"
    assert not list(place.folder.glob("*.part"))


def test_an_export_that_fails_leaves_the_old_file(place: Place) -> None:
    place.write("result.csv", "old")
    place.fails("campaign", "export", "17", "--output", "result.csv")
    assert (place.folder / "result.csv").read_text() == "old"
    assert not list(place.folder.glob("*.part"))


def test_only_the_failed_are_sent_again_and_only_once(place: Place) -> None:
    """One fails by its report, one is not known: the first alone goes into the retry."""
    file = place.write("numbers.csv", "13812345678\n19999990100\n")
    words = ["--text", TEXT, "--recipients", file, "--account", "jzy"]
    place.done("campaign", "create", *words)
    with place.working():
        eventually(
            lambda: (
                place.data("campaign", "show", "1")["states"] == {"delivered": 1, "undelivered": 1}
            )
        )
        eventually(lambda: place.data("campaign", "show", "1")["state"] == "done")
        again = place.data("campaign", "retry", "1")
        assert (again["total"], again["retry_of"]) == (1, 1)
        assert place.data("campaign", "retry", "1") is None


def test_a_campaign_is_watched_until_it_is_done(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no terminal is, there are lines; what it is in the end goes to standard output."""
    monkeypatch.setattr(campaign_progress, "POLL_SECONDS", 0.02)
    create(place, numbers(place, 50))
    with place.working():
        result = place.run("campaign", "show", "1", "--watch")
    assert result.exit_code == 0
    assert "done: 50 of 50 (50 submitted)" in result.stderr
    assert "valid until" in result.stdout


def test_a_campaign_is_watched_as_json_a_line_for_each_change(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_progress, "POLL_SECONDS", 0.02)
    create(place, numbers(place, 50), "--paused")
    place.done("campaign", "start", "1")
    with place.working():
        printed = place.done("campaign", "show", "1", "--watch", "--json")
    looks = [json.loads(line) for line in printed.splitlines()]
    assert all(sum(one["states"].values()) == one["total"] == 50 for one in looks)
    last = looks[-1]
    assert (last["state"], last["states"], last["seconds_left"]) == ("done", {"submitted": 50}, 0)
    assert len({json.dumps([one["state"], one["states"]]) for one in looks}) > 1


def sentences(shown: Any) -> list[str]:
    """Return why it waits, as it is said."""
    return [reason["what"] for reason in shown["waits_for"]]


def test_what_a_campaign_waits_for_is_said(place: Place) -> None:
    """That nothing moves has a reason, and a command that helps."""
    place.configure("bulk", more={"bulk": section(place.sandbox, "bulk", sending_hours="any")})
    found = create(place, numbers(place, 2), "--paused")
    assert sentences(found) == ["it is not started: `xinshi campaign resume 1`"]
    found = place.data("campaign", "resume", "1")
    assert sentences(found) == ["no worker runs: `xinshi up`"]
    with place.working():
        eventually(lambda: place.data("campaign", "show", "1")["state"] == "done")
    assert place.data("campaign", "show", "1")["waits_for"] == []
    place.done("account", "hold", "bulk", "--why", "a look at the bill")
    found = create(place, place.write("other.csv", "13900000001"))
    assert sentences(found) == ["bulk: held: by hand a look at the bill; `xinshi accounts`"]


def test_an_account_in_doubt_is_what_a_campaign_waits_for(place: Place) -> None:
    """Its probe comes later; until then nothing moves, and that is said."""
    place.configure("bulk")
    create(place, numbers(place, 2))
    with database.writing(place.engine) as connection:
        accounts.ensure(connection, "bulk")
        account_doubts.prove_login(connection, "bulk", settings.load().logins.fingerprints["bulk"])
        waiting = {"doubts": 1, "probe_at": later(60)}
        connection.execute(update(account_state).values(**waiting))
    (_, sentence) = sentences(place.data("campaign", "show", "1"))
    assert sentence.startswith("bulk: its last calls ended in doubt: the next submission asks at ")


def late(place: Place) -> None:
    """Load a campaign whose time is over before it is started."""
    create(place, numbers(place, 3), "--paused")
    with database.writing(place.engine) as connection:
        requests.extend(connection, 1, datetime.now(UTC) - timedelta(minutes=1))


def test_a_late_start_wants_a_time(place: Place) -> None:
    """Nobody is asked where no terminal is: it is wrong usage until the time is said."""
    late(place)
    for verb in ("start", "resume"):
        said = place.fails("campaign", verb, "1", code=2)
        assert "campaign 1 was valid until" in said
        assert "--until" in said
    assert place.data("campaign", "show", "1")["state"] == "ready"
    assert place.data("campaign", "start", "1", "--until", "+1h")["state"] == "running"


def test_a_late_start_asks_whoever_sits_there(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is answered by a time to come; Ctrl-C leaves it as it is."""
    late(place)
    monkeypatch.setattr(output, "is_attended", lambda: True)
    place.fails("campaign", "start", "1", code=130, typed="")
    assert place.data("campaign", "show", "1")["state"] == "ready"
    place.done("campaign", "start", "1", typed="soon\n2020-01-01 08:00\n+1h\n")
    found = place.data("campaign", "show", "1")
    assert found["state"] == "running"
    assert datetime.fromisoformat(found["not_after"]) > datetime.now(UTC)


def test_ctrl_c_while_watching_says_that_the_campaign_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, interrupted: Callable[..., Any]
) -> None:
    create(place, numbers(place, 3))
    monkeypatch.setattr(campaign_progress, "watch_campaign", interrupted)
    said = place.fails("campaign", "show", "1", "--watch", code=130)
    assert "campaign 1 goes on" in said


def test_ctrl_c_while_loading_sends_nothing_and_the_key_loads_it_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, interrupted: Callable[..., Any]
) -> None:
    file = numbers(place, 3)
    with monkeypatch.context() as patch:
        patch.setattr(campaign_writer.CampaignWriter, "finish", interrupted)
        words = ["--text", TEXT, "--recipients", file, "--account", "bulk", "--key", "autumn"]
        said = place.fails("campaign", "create", *words, code=130)
    assert "nothing of it will be sent; the same command, with its --key, goes on with it" in said
    assert place.data("campaign", "show", "1")["state"] == "loading"
    found = create(place, file, "--key", "autumn")
    assert (found["id"], found["state"], found["total"]) == (1, "running", 3)


def test_a_database_that_fails_while_loading_says_what_became_of_the_campaign(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk is full, say: nothing is sent, and without a key there is one to be dropped."""

    def full(*_words: Any) -> None:
        msg = "the database does not answer as it should: database or disk is full"
        raise Unavailable(msg)

    monkeypatch.setattr(campaign_writer.CampaignWriter, "add_block", full)
    words = ["campaign", "create", "--text", TEXT, "--recipients", numbers(place, 3)]
    said = place.fails(*words)
    assert "database or disk is full" in said
    assert "`xinshi campaign cancel` drops it" in said
    assert place.data("campaign", "show", "1")["state"] == "loading"
    assert place.data("campaign", "cancel", "1")["state"] == "cancelled"


def test_the_rate_is_taken_over_the_last_looks() -> None:
    rate = campaign_progress.RateMeter()
    assert rate.add_sample(0.0, 0) == 0
    assert rate.add_sample(1.0, 100) == 100
    assert rate.add_sample(3.0, 400) == pytest.approx(400 / 3)


def test_a_trial_has_the_values_of_a_row_and_is_none_of_the_campaign(place: Place) -> None:
    file = place.write("people.csv", "手机号,姓名\n13812345678,安娜\n13912345678,王五\n")
    create(place, file, "--paused", text="【店】{姓名}您好 回T退订")
    mine = place.data("campaign", "test", "1", "--to", "19912345678", "--row", "2")
    assert [one["campaign"] for one in mine["messages"]] == [None]
    with place.working():
        eventually(lambda: [*place.sandbox.taken()])
    (taken,) = place.sandbox.taken()
    assert (taken.msisdn, taken.text) == ("19912345678", "【店】王五您好 回T退订")
    assert place.data("campaign", "show", "1")["states"] == {"queued": 2}


def test_a_trial_of_a_text_without_values_keeps_its_braces(place: Place) -> None:
    create(place, numbers(place, 1), "--paused", text="【店】{{8折 回T退订")
    place.data("campaign", "test", "1", "--to", "19912345678")
    with place.working():
        eventually(lambda: [*place.sandbox.taken()])
    assert [taken.text for taken in place.sandbox.taken()] == ["【店】{8折 回T退订"]


@pytest.mark.parametrize("words", [("17",), ("1", "--row", "9"), ("1", "--row", "0")])
def test_a_trial_of_nothing_is_refused(place: Place, words: tuple[str, ...]) -> None:
    create(place, numbers(place, 2), "--paused")
    assert place.run("campaign", "test", *words, "--to", "19912345678").exit_code in {1, 2}
    assert place.data("messages") == []


def test_a_number_is_found_in_campaigns_and_until_then_the_command_says_what_is_not_searched(
    place: Place,
) -> None:
    place.configure("v1")
    number = mobiles(1)[0]
    place.write("list.csv", f"to\n{number}\n")
    words = ("campaign", "create", "--text", TEXT, "--recipients", "list.csv", "--paused")
    campaign_id = place.data(*words)["id"]
    said = place.run("messages", "--to", number)
    assert "no message fits" in said.output
    assert "1 campaign(s)" in said.output
    assert "not searched by number yet" in said.output
    while campaign_numbers.store_part(place.engine):
        pass
    (found,) = place.data("messages", "--to", number)
    assert found["id"] == f"{campaign_id}-0"
    assert "not searched" not in place.run("messages", "--to", number).output
