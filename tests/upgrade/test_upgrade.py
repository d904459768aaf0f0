"""An upgrade: what the version before left is taken up by this one, and goes on.

`recorded` holds what real processes of that version left, see `tests/upgrade/record.py`. Each test
brings it to the present, starts this version on it, and states what has to become of it.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from producer import KeyConflict, Producer
from tests.support.servers import Databases
from tests.upgrade.house import (
    WORKER,
    Application,
    House,
    Row,
    application,
    eventually,
    is_signed,
)
from tests.upgrade.recording import (
    ADVERT,
    CODE,
    CONFIG,
    DATABASE,
    LEDGER,
    NOTICE,
    OPTED_OUT,
    PERSONAL,
    SPOOL,
    Shift,
    Story,
    copy,
    recipients,
)
from worker.sandbox import LedgerEntry, Sandbox

RECORDED = Path(__file__).parent / "recorded"
#: How long it takes to put everything in place: leases are as they were when a worker starts.
PREPARING = timedelta(seconds=3)
#: Accounts with reports, and at which gateway.
GATEWAYS = {"first": "jzyyun", "second": "apiv1"}

#: What becomes of messages by itself; those of the campaign `paused` are in two states.
ENDS = {
    "delivered": [
        *("delivered", "delivered_code"),
        *("code", "notice", "list", "marketing", "http", "retry", "personal"),
        *("otp_taken", "otp_not_taken", "in_spool", "in_spooled_page", "in_raw_page", "in_push"),
        *("awaiting_code", "awaiting_second", "done", "answered", "unknown_second"),
        *("http_told", "http_refused", "http_parked", "http_code"),
        *("after_unknown_taken", "after_unknown_not_taken", "after_unknown_second"),
    ],
    "submitted": ["limited_before", "limited_too", "counted"],
    "undelivered": ["awaiting"],
    "expired": ["late_code"],
    "suppressed": ["to_opted_out"],
    "cancelled": ["cancelled"],
    "unknown": [
        *("unknown_taken", "unknown_not_taken", "marketing_taken", "marketing_not_taken"),
        *("in_doubt",),
    ],
    "queued": ["scheduled", "limited", "limited_planned", "held", "ready", "loading"],
}
#: What goes out by itself, each message once.
GOES = ("code", "notice", "list", "marketing", "http", "retry", "otp_taken", "otp_not_taken")


#: Ticks that the recorded versions did not have.
NEW_TICKS = {"adoption", "matching", "numbers", "opt_outs", "pages"}


@dataclass
class Upgrade:
    """A recording in the present, with this version at work on it."""

    story: Story
    shift: Shift
    house: House
    gateways: Sandbox
    app: Application
    #: The messages as they were, by their ids.
    before: dict[str, Row] = field(default_factory=dict)
    #: The submissions that were in flight, and the events that waited to be told or were parked.
    in_flight: list[Row] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    ticks: set[str] = field(default_factory=set)
    #: What `xinshi accounts` showed before anything ran.
    accounts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    #: How many lines the ledger had before anything ran.
    lines: int = 0
    web: str = ""

    def entries(self) -> list[LedgerEntry]:
        """Return what the gateways were asked since the upgrade."""
        return list(self.gateways.entries())[self.lines :]

    def taken(self) -> Counter[str]:
        """Count how often the gateways took each number since the upgrade."""
        return Counter(number for entry in self.entries() for number in entry.taken)

    def queued(self, *names: str) -> list[str]:
        """Return the numbers of those of these messages that waited at the upgrade."""
        return [
            self.before[number]["msisdn"]
            for name in names
            for number in self.story.ids[name]
            if self.before[number]["state"] == "queued"
        ]

    def report(self, rows: Sequence[Row], status: str = "delivered") -> None:
        """Let the reports of submitted messages arrive at their gateways."""
        for row in rows:
            self.gateways.control.report(
                GATEWAYS[row["account"]], [row["msisdn"]], id=row["gateway_id"], status=status
            )

    def left(self, *but: str) -> list[str]:
        """Return what is left to do, but for requests that wait on purpose: some by their names."""
        on_purpose = {
            int(self.story.ids[name][0].partition("-")[0])
            for name in ("scheduled", "cancelled", *but)
        }
        due = self.house.rows("SELECT id FROM xinshi_request WHERE next_at IS NOT NULL")
        going = (
            "xinshi_submission WHERE state = 'in_flight'",
            "xinshi_submission WHERE state = 'planned' AND coalesce(code, '') <> 'per_msisdn'",
            "xinshi_inbox WHERE parsed_at IS NULL",
            "xinshi_callback_event WHERE next_at IS NOT NULL",
            "xinshi_messages WHERE state = 'submitted' AND account IN ('first', 'second')",
        )
        return [
            *(f"request {row['id']}" for row in due if row["id"] not in on_purpose),
            *(rows for rows in going if self.house.value(f"SELECT count(*) FROM {rows}")),
            *(file.name for file in self.house.spool.glob("[!.]*")),
        ]

    def quiet(self, *but: str) -> None:
        """Wait until nothing is left to do, as `left` says it."""
        self.settle(lambda: not self.left(*but))

    def settle(self, look: Callable[[], bool]) -> None:
        """Wait until something is so; say what is left, and what was logged, when it never is."""
        try:
            eventually(look)
        except AssertionError:
            log = self.house.log.read_text("utf-8")[-5000:]
            pytest.fail(f"left: {self.left()}\n{log}")


# --- the way to the present ----------------------------------------------------------------------


@contextmanager
def upgraded(kind: str, databases: Databases, folder: Path) -> Iterator[Upgrade]:
    """Bring a recording to the present and to other addresses, with the commands of an upgrade."""
    source = RECORDED / kind
    story = Story.read(source)
    moment = datetime.now(UTC) + PREPARING
    shift = Shift.to(story.at, moment)
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'xinshi.db'}"
        if kind != "sqlite":
            url = stack.enter_context(databases.bare(kind))
        _load(url, shift.text((source / DATABASE).read_text("utf-8")))
        house = House(folder, url)
        stack.callback(house.end)
        copy(source / LEDGER, folder / LEDGER, shift.text)
        for file in (source / SPOOL).iterdir():
            copy(file, house.spool / file.name, shift.spooled)
        gateways = stack.enter_context(
            Sandbox(ledger=folder / LEDGER, fsync="none", report_delay=0, limits=False)
        )
        app = stack.enter_context(application())
        after = Upgrade(story, shift, house, gateways, app)

        recorded = (source / CONFIG).read_text("utf-8")
        moved = recorded.replace(story.gateways, gateways.base_url)
        apart = stack.enter_context(databases.migrated("sqlite"))
        threads = stack.enter_context(ThreadPoolExecutor(1))
        logins = threads.submit(_logins, moved, folder / "apart", apart)
        if kind != "sqlite":
            recorded, moved = (text.replace(story.database_url, url) for text in (recorded, moved))
        house.config.write_text(recorded, "utf-8")
        house.command("migrate")
        after.accounts = {row["name"]: row for row in house.data("accounts")}
        # From here on the gateways and the application are where this test has them.
        house.config.write_text(moved, "utf-8")
        house.write("UPDATE xinshi_callback SET url = :url", url=app.url)
        for column, account, login in logins.result():
            house.write(
                f"UPDATE xinshi_account_state SET {column} = :login"
                f" WHERE account = :account AND {column} IS NOT NULL",
                account=account,
                login=login,
            )
        _look(after)
        eventually(lambda: datetime.now(UTC) >= moment)
        yield after


def _load(url: str, dump: str) -> None:
    """Load a dump into a database in which nothing is."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database))) as connection:
            connection.executescript(dump)
        return
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        connection.execute(dump.encode())


def _logins(configuration: str, folder: Path, url: str) -> list[tuple[str, str, str]]:
    """Return how logins are written down: columns, accounts, and what stands there.

    They are known by their addresses, and learned from an account's first answer: in a database
    apart.
    """
    folder.mkdir()
    house = House(folder, url)
    lines = [line for line in configuration.splitlines() if not line.startswith("database_url")]
    house.config.write_text("\n".join([f'database_url = "{url}"', *lines]), "utf-8")
    house.command("balance", code=1)
    rows = house.rows("SELECT account, proven, held_login FROM xinshi_account_state")
    house.end()
    columns = ("proven", "held_login")
    return [(column, row["account"], row[column]) for row in rows for column in columns]


def _look(after: Upgrade) -> None:
    """Note how everything was."""
    house = after.house
    after.before = {row["id"]: row for row in house.rows("SELECT * FROM xinshi_messages")}
    after.in_flight = house.rows("SELECT * FROM xinshi_submission WHERE state = 'in_flight'")
    events = house.rows("SELECT id, next_at FROM xinshi_callback_event")
    after.waiting = [f"evt_{row['id']}" for row in events if row["next_at"] is not None]
    after.parked = [f"evt_{row['id']}" for row in events if row["next_at"] is None]
    after.ticks = {row["name"] for row in house.rows("SELECT name FROM xinshi_tick")}
    after.lines = len(list(after.gateways.entries()))


def _moment(value: Any) -> datetime:
    """Read a time as a driver gives it: SQLite's are texts in UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


# --- what has to become of it --------------------------------------------------------------------


def accounts_stand_as_they_stood(after: Upgrade) -> None:
    """Holds, the login that was refused, the learned pace and balances are known."""
    locked, counted, paced = (after.accounts[name] for name in ("locked", "counted", "paced"))
    assert locked["held"]
    assert locked["why"].startswith("405")
    assert "with another login" in locked["advice"]
    assert counted["held"]
    assert "the contract is under review" in counted["why"]
    assert paced["pace"]["refused_per_second"] == 1.0
    assert paced["pace"]["by"] == "database"
    assert not after.accounts["first"]["held"]
    assert any(pool["used"] for pool in after.accounts["first"]["balance"]["pools"])


def messages_end_as_they_have_to(after: Upgrade) -> None:
    """Each message is in the state that what it was leads to."""
    named = [name for names in ENDS.values() for name in names]
    assert sorted([*named, "paused"]) == sorted(after.story.ids)
    for state, names in ENDS.items():
        for name in names:
            assert after.house.states(after.story.ids[name]).keys() == {state}, name


def what_waited_goes_out_once(after: Upgrade) -> None:
    """What was queued is taken once, a code in flight once more; nothing else is taken at all."""
    expected = [number for name in GOES for number in after.story.to[name]]
    assert after.taken() == Counter([*expected, *after.queued("personal")])


def calls_in_flight_are_waited_for(after: Upgrade) -> None:
    """No lease of before is cut short; then its call is unknown, but for that of the spool."""
    spooled = {number.partition("-")[0] for number in after.story.ids["in_spool"]}
    events = after.house.rows("SELECT * FROM xinshi_event WHERE name = 'submission.unknown'")
    ended = {row["submission_id"]: _moment(row["at"]) for row in events}
    unknown = [row for row in after.in_flight if str(row["request_id"]) not in spooled]
    assert len(unknown) == len(after.in_flight) - 1 == 4
    for row in unknown:
        assert ended[row["id"]] >= _moment(row["lease_until"]), row
        state = "SELECT state FROM xinshi_submission WHERE id = :id"
        assert after.house.value(state, id=row["id"]) == "unknown"


def codes_in_flight_go_once_more(after: Upgrade) -> None:
    """By a submission of its own that names the first; so each code was taken twice at the most."""
    for name, before in (("otp_taken", 1), ("otp_not_taken", 0)):
        (row,) = after.house.messages(after.story.ids[name])
        query = "SELECT resend_of FROM xinshi_submission WHERE id = :id"
        resent = after.house.value(query, id=row["submission_id"])
        assert resent in [first["id"] for first in after.in_flight]
        (to,) = after.story.to[name]
        taken = Counter(number for entry in after.gateways.entries() for number in entry.taken)
        assert taken[to] == before + 1


def the_spool_counts(after: Upgrade) -> None:
    """The outcome ends its call as the gateway answered; the page was read, and all is drained."""
    rows = after.house.messages(after.story.ids["in_spool"])
    (entry,) = [entry for entry in after.gateways.entries() if rows[0]["msisdn"] in entry.taken]
    assert {row["gateway_id"] for row in rows} == {entry.id}
    query = "SELECT count(*) FROM xinshi_event WHERE submission_id = :id"
    assert not after.house.value(query, id=rows[0]["submission_id"])


def reports_belong_to_what_was_submitted_before(after: Upgrade) -> None:
    """Each report that came by the spool, by a page, by a push or later was matched."""
    assert not after.house.value("SELECT count(*) FROM xinshi_report WHERE request_id IS NULL")
    query = "SELECT count(*) FROM xinshi_event WHERE name = 'submission.settled'"
    assert after.house.value(query) == 1, "that of the unknown submission"


def who_opted_out_gets_nothing(after: Upgrade) -> None:
    """Neither a message that waited nor a campaign that was loaded before."""
    assert not after.taken()[OPTED_OUT]


def a_number_that_had_enough_waits(after: Upgrade) -> None:
    """Calls before the upgrade count among those that its limit allows in an hour."""
    rows = after.house.messages([*after.story.ids["limited"], *after.story.ids["limited_planned"]])
    until = after.shift.recorded + after.shift.by + timedelta(minutes=50)
    for row in rows:
        query = "SELECT code, next_at FROM xinshi_submission WHERE id = :id"
        (waits,) = after.house.rows(query, id=row["submission_id"])
        assert waits["code"] == "per_msisdn"
        assert _moment(waits["next_at"]) > until


def a_retry_counts_on(after: Upgrade) -> None:
    """It was one more attempt."""
    (number,) = after.story.ids["retry"]
    (row,) = after.house.messages([number])
    assert row["attempts"] == after.before[number]["attempts"] + 1


def campaigns_stand_as_they_stood(after: Upgrade) -> None:
    """What was handed out goes on; paused, ready and half loaded ones wait for a person."""
    rows = after.house.rows("SELECT request_id, state FROM xinshi_campaign")
    states = {row["request_id"]: row["state"] for row in rows}
    standing = {name: states[number] for name, number in after.story.campaigns.items()}
    assert standing == {
        **dict.fromkeys(["done", "personal"], "done"),
        **dict.fromkeys(["marketing_taken", "marketing_not_taken"], "done"),
        "paused": "paused",
        "ready": "ready",
        "loading": "loading",
    }


def ticks_go_on(after: Upgrade) -> None:
    """They are those of before and the new ones, and those that were due were done."""
    # With SQLite one row is no tick: it remembers which file the workers ran on.
    query = "SELECT name, next_at FROM xinshi_tick WHERE name <> 'database_file'"
    rows = after.house.rows(query)
    assert {row["name"] for row in rows} == after.ticks | NEW_TICKS
    moment = after.shift.recorded + after.shift.by
    late = {row["name"] for row in rows if _moment(row["next_at"]) < moment}
    # Nobody has to look for pushes, or at opt-outs, when there are none; an account that is held is
    # not asked.
    assert late <= {"pushes", "opt_outs"}, late


def applications_are_told_once(after: Upgrade) -> None:
    """The event that waited keeps its id and secret; what was taken before is not told again."""
    taken = after.app.taken()
    assert set(taken.values()) == {1}
    assert set(after.waiting) <= taken.keys()
    assert not taken.keys() & {*after.story.taken_events, *after.parked}
    (to,) = after.story.to["http_refused"]
    bodies = {headers["webhook-id"]: body for headers, body, _ in after.app.events}
    assert all(to.encode() in bodies[number] for number in after.waiting)
    for headers, body, _ in after.app.events:
        assert is_signed(after.story.secret, headers, body)


def nothing_was_logged_as_an_error(after: Upgrade) -> None:
    """But that there is no broker."""
    lines = after.house.log.read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    wrong = [event for event in events if event["level"] in {"error", "critical"}]
    assert [event for event in wrong if "Cannot connect" not in event["event"]] == []


def people_go_on(after: Upgrade) -> None:
    """What waited for a person goes out once: held, paused, ready, half loaded, parked.

    The sent counter of before proves that the call in doubt was not taken: it goes once more.
    """
    expected = after.queued("personal", "held", "paused", "loading")
    expected.remove(OPTED_OUT)
    expected += [number for name in (*GOES, "in_doubt") for number in after.story.to[name]]
    assert after.taken() == Counter(expected)
    assert [after.app.taken()[event] for event in after.parked] == [1]
    assert after.house.states(after.story.ids["ready"]).keys() == {"queued"}
    assert after.house.states(after.story.ids["loading"]).keys() == {"delivered"}
    paused = after.house.states(after.story.ids["paused"])
    assert paused == {"delivered": len(after.story.ids["paused"]) - 1, "suppressed": 1}
    drift = "SELECT count(*) FROM xinshi_event WHERE name = 'account.counter_drift'"
    assert not after.house.value(drift)


def a_refused_login_is_left_alone(after: Upgrade) -> None:
    """No call is made with it, though all else goes on."""
    assert not [entry for entry in after.entries() if entry.account == "cf_former"]


def keys_still_work(after: Upgrade) -> None:
    """A key sees its sender's messages; one that was revoked stays so; a repeated call is known."""
    (shipped,), (local,) = (after.story.ids[name] for name in ("http_told", "notice"))
    (to,), (code_to,) = (after.story.to[name] for name in ("http_told", "http_code"))
    shop = {"authorization": f"Bearer {after.story.key}"}
    former = {"authorization": f"Bearer {after.story.revoked_key}"}
    with httpx.Client(base_url=after.web, trust_env=False, timeout=30.0) as client:
        for number, key, status in (
            (shipped, shop, 200),
            (local, shop, 404),
            (shipped, former, 401),
        ):
            assert client.get(f"/v1/messages/{number}", headers=key).status_code == status
        named = {**shop, "idempotency-key": "order-1001"}
        body = {"to": to, "text": NOTICE}
        repeated = client.post("/v1/messages", json=body, headers=named)
        assert repeated.json() == {"ids": [shipped], "repeated": True, "warnings": []}
        conflict = client.post("/v1/messages", json={**body, "text": CODE}, headers=named)
        assert conflict.status_code == 409
        # The number was sent a code before the upgrade: one in an hour is all.
        body = {"to": code_to, "text": CODE, "class": "otp"}
        assert client.post("/v1/messages", json=body, headers=shop).status_code == 429


def a_repeated_call_is_known(after: Upgrade) -> None:
    """Also by the Python API: the same key stands for the same request, or campaign."""
    ids, to = after.story.ids["list"], after.story.to["list"]
    with closing(Producer.from_file(after.house.config)) as producer:
        repeated = producer.enqueue(to, NOTICE, key="order-2002")
        assert repeated.repeated
        assert list(repeated.ids) == ids
        with pytest.raises(KeyConflict):
            producer.enqueue(to, CODE, key="order-2002")
        for name, text, account in (("ready", ADVERT, None), ("personal", PERSONAL, "first")):
            loaded = producer.enqueue_campaign(
                name,
                recipients(after.story.to[name]),
                text,
                start=False,
                key=name,
                sender="crm",
                account=account,
            )
            assert (loaded.id, loaded.total) == (
                after.story.campaigns[name],
                len(after.story.to[name]),
            )


def everything_is_as_promised(after: Upgrade) -> None:
    """`xinshi verify` finds nothing, nor does it with the ledger of both versions."""
    counts = after.house.data("verify", "--ledger", LEDGER)["counts"]
    assert (counts["doubled"], counts["lost"]) == (0, 0)
    assert counts["enqueued"] == len(after.before)


Law = Callable[[Upgrade], None]
BY_ITSELF: tuple[Law, ...] = (
    accounts_stand_as_they_stood,
    messages_end_as_they_have_to,
    what_waited_goes_out_once,
    calls_in_flight_are_waited_for,
    codes_in_flight_go_once_more,
    the_spool_counts,
    reports_belong_to_what_was_submitted_before,
    who_opted_out_gets_nothing,
    a_number_that_had_enough_waits,
    a_retry_counts_on,
    campaigns_stand_as_they_stood,
    ticks_go_on,
    applications_are_told_once,
    keys_still_work,
    a_repeated_call_is_known,
)
WITH_PEOPLE: tuple[Law, ...] = (
    people_go_on,
    who_opted_out_gets_nothing,
    a_refused_login_is_left_alone,
    everything_is_as_promised,
    nothing_was_logged_as_an_error,
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_upgrade(
    kind: str, databases: Databases, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """What the version before left goes on: nothing is lost, nothing is doubled."""
    with upgraded(kind, databases, tmp_path) as after:
        go_on_by_itself(after)
        for law in BY_ITSELF:
            with subtests.test(law.__name__):
                law(after)
        let_people_go_on(after)
        for law in WITH_PEOPLE:
            with subtests.test(law.__name__):
                law(after)


def go_on_by_itself(after: Upgrade) -> None:
    """Run a worker of this version until nothing is left to do; reports of before arrive."""
    ids = after.story.ids
    unread = {*ids["in_spooled_page"], *ids["in_raw_page"], *ids["in_push"], *ids["awaiting"]}
    submitted = [
        row
        for row in after.before.values()
        if row["state"] == "submitted" and row["account"] in GATEWAYS and row["id"] not in unread
    ]
    after.house.begin(*WORKER, "otp", "notice", "marketing", "ticks")
    after.web = after.house.web()
    after.report(submitted)
    after.report(after.house.messages(ids["awaiting"]), "failed")
    # Its answer was lost, but the gateway calls it by our reference.
    (to,) = after.story.to["unknown_second"]
    (line,) = [entry for entry in after.gateways.entries() if to in entry.taken]
    after.gateways.control.report("apiv1", [to], id=line.id, status="delivered")
    after.settle(lambda: after.house.states(ids["in_spool"]).keys() == {"submitted"})
    after.report(after.house.messages(ids["in_spool"]))
    after.quiet("held")


def let_people_go_on(after: Upgrade) -> None:
    """Do what people do, by commands, the HTTP API and Python, until nothing is left to do."""
    resume = f"{after.web}/v1/campaigns/{after.story.campaigns['paused']}/resume"
    bearer = {"authorization": f"Bearer {after.story.campaigns_key}"}
    with httpx.Client(trust_env=False, timeout=30.0) as client:
        assert client.post(resume, headers=bearer).status_code == 200
    commands = (("account", "release", "counted"), ("callbacks", "replay"))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda words: after.house.command(*words), commands))
    # Whoever loads it again by its key finds what is there.
    with closing(Producer.from_file(after.house.config)) as producer:
        producer.enqueue_campaign("loading", after.story.to["loading"], ADVERT, key="spring")
    in_doubt = after.story.ids["in_doubt"]
    after.settle(lambda: after.house.states(in_doubt).keys() == {"submitted"})
    after.quiet()
