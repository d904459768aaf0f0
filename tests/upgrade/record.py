"""Records what a version leaves behind, for a later version to go on with.

    python -m tests.upgrade.record FOLDER

Run it in a checkout of the version to be recorded, with that version's environment (this folder
`tests/upgrade` has to be there: copy it if that version had none), on Linux, with pg_dump on the
PATH and a PostgreSQL server whose user may create databases (`XINSHI_TEST_POSTGRESQL`, else
`postgresql+psycopg://postgres@127.0.0.1/postgres`). It takes some minutes.

It lets real processes of that version work with a sandbox, kills some of them at failpoints, and
writes FOLDER/sqlite and FOLDER/postgresql: a dump of the database, the configuration, the ledger of
what the gateways took, the spool, and a story that names everything; `tests/upgrade/recording.py`
describes the files. What waits in a recording: queued messages of every class, campaigns that run,
are paused, ready or half loaded, a retry, calls in flight whose worker was killed before and after
the gateway took them, submitted messages without a report, unknown ones, raw pages and a push that
nobody has read, an outcome and a page in the spool, opt-outs, holds, a learned pace, calls counted
for a number, callbacks with events that wait and that were parked, API keys.

When a version does not come to such a state it ends with an error, and leaves the folder as it was.
"""

import argparse
import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from producer import Producer
from tests.upgrade.databases import Recorded, postgresql, sqlite
from tests.upgrade.house import WORKER, Application, House, application, eventually
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
    Story,
    recipients,
)
from worker.sandbox import Sandbox

TOP = {
    "broker_url": "redis://127.0.0.1:1/0",
    "lease": "60s",
    "look_every": "0.1s",
    "sweep_every": "0.3s",
    "callback_secrets": ["the secret that callbacks are signed with"],
    "callback_networks": ["127.0.0.0/8"],
}
WEB = {"otp_per_recipient": ["1/1h"]}
QUICK = {
    "sending_hours": "any",
    "timeout": "3s",
    "collect_reports_every": "1s",
    "collect_inbound_every": "1h",
    "check_balance_every": "1h",
}
#: What the gateway says to a message that is to be sent later.
REFUSED = "稍后再试"
TOKEN = "a-token-0123456789abcdef"
KEY = "0123456789abcdef0123456789abcdef"
ACCOUNTS: dict[str, dict[str, Any]] = {
    "first": {
        "gateway": "jzyyun",
        "username": "test",
        "password": "test",
        "smstype": 1,
        "priority": 1,
        "max_batch": 5,
        "concurrency": 3,
        "codes": {REFUSED: "deferred"},
    },
    "second": {
        "gateway": "apiv1",
        "account": "demo",
        "password": "demo",
        "push_tokens": [TOKEN],
    },
    "counted": {
        "gateway": "c123",
        "uid": "9999",
        "password": "9999",
        "classes": [],
        "settling_delay": "2s",
    },
    "paced": {
        "gateway": "ihuyi",
        "account": "cf_demo",
        "api_key": KEY,
        "classes": [],
        "per_msisdn": ["2/1h"],
    },
    "locked": {
        "gateway": "ihuyi",
        "account": "cf_former",
        "api_key": KEY,
        "classes": [],
    },
}

LIMITED = "13900000005"
#: How long the longest lease may last after the moment of the recording, in seconds.
LEFT = 4.0


def toml(accounts: dict[str, dict[str, Any]], **top: Any) -> str:
    """Write a configuration."""
    lines = [f"{name} = {_literal(value)}" for name, value in top.items()]
    lines += ["", "[web]", *(f"{name} = {_literal(value)}" for name, value in WEB.items())]
    for account, section in accounts.items():
        lines += ["", f"[accounts.{account}]"]
        lines += [f"{name} = {_literal(value)}" for name, value in section.items()]
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f'"{name}" = {_literal(inner)}' for name, inner in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


class Door:
    """Where failpoints (`tell:PORT`) wait until it is opened."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._waiting: socket.socket | None = None

    def wait(self) -> None:
        """Wait until a process stands before it."""
        self._listener.settimeout(30.0)
        self._waiting, _ = self._listener.accept()

    def open(self) -> None:
        """Let the process go on, and whoever comes later."""
        assert self._waiting is not None
        self._waiting.close()
        self._listener.close()


class Recorder:
    """Brings a house to the state that is recorded, scene by scene."""

    def __init__(self, house: House, gateways: Sandbox, app: Application, story: Story) -> None:
        self.house = house
        self.gateways = gateways
        self.app = app
        self.story = story
        self._next = 13800138000
        house.config.write_text(self._configuration(ACCOUNTS), "utf-8")
        house.command("migrate")
        self.producer = Producer.from_file(house.config)
        self.client = httpx.Client(trust_env=False, timeout=10.0)

    def _configuration(self, accounts: dict[str, dict[str, Any]], **top: Any) -> str:
        sections = {
            name: {"base_url": self.gateways.url(section["gateway"]), **QUICK, **section}
            for name, section in accounts.items()
        }
        return toml(sections, database_url=self.story.database_url, **TOP | top)

    def another(self, name: str, *accounts: str, mute: Sequence[str] = ()) -> Path:
        """Write a configuration that knows some accounts, a part of them without reports.

        Returns its file.
        """
        path = self.house.folder / f"{name}.toml"
        sections = {account: ACCOUNTS[account] for account in accounts}
        sections |= {account: ACCOUNTS[account] | {"reports": "none"} for account in mute}
        # Nor does it tell applications anything.
        path.write_text(self._configuration(sections, callback_secrets=[]), "utf-8")
        return path

    # --- what scenes are made of ------------------------------------------------------------------

    def numbers(self, count: int) -> list[str]:
        """Return numbers that nothing was sent to yet."""
        first, self._next = self._next, self._next + count
        return [str(number) for number in range(first, self._next)]

    def send(
        self, name: str, written: str = NOTICE, to: Sequence[str] = (), **words: Any
    ) -> list[str]:
        """Enqueue a text, to a new number unless some are given; returns the messages' ids."""
        numbers = list(to) or self.numbers(1)
        ids = list(self.producer.enqueue(numbers, written, **words).ids)
        self.note(name, ids, numbers)
        return ids

    def note(self, name: str, ids: Sequence[str], numbers: Sequence[str]) -> None:
        """Give messages their place in the story."""
        self.story.ids[name], self.story.to[name] = list(ids), list(numbers)

    def campaign(self, name: str, to: Sequence[str], written: str = ADVERT, **words: Any) -> int:
        """Load a campaign; returns its id."""
        words |= {"sender": "crm", "key": name}
        loaded = self.producer.enqueue_campaign(name, recipients(to), written, **words)
        self.story.campaigns[name] = loaded.id
        self.note(name, [f"{loaded.id}-{n}" for n in range(loaded.total)], to)
        return int(loaded.id)

    def await_state(self, state: str, *names: str) -> None:
        """Wait until all messages of these names are in a state."""
        for name in names:
            ids = self.story.ids[name]
            eventually(partial(self._are, state, ids))

    def _are(self, state: str, ids: Sequence[str]) -> bool:
        """Tell whether all of these messages are in a state."""
        return self.house.states(ids).keys() == {state}

    def rule(self, what: str, **restrictions: Any) -> int:
        """Have the gateways misbehave; returns the rule's number."""
        return self.gateways.control.rule(what, **restrictions)

    def report(self, name: str, status: str = "delivered") -> None:
        """Let the reports of messages arrive at their gateways."""
        for row in self.house.messages(self.story.ids[name]):
            gateway = ACCOUNTS[row["account"]]["gateway"]
            self.gateways.control.report(
                gateway, [row["msisdn"]], id=row["gateway_id"], status=status
            )

    def post(self, path: str, body: dict[str, Any], **headers: str) -> list[str]:
        """Enqueue by the HTTP API; returns the messages' ids."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        bearer = {"authorization": f"Bearer {self.story.key}"}
        response = self.client.post(f"{self.web}{path}", json=body, headers=bearer | named)
        assert response.status_code == 202, response.text
        return list(response.json()["ids"])

    def turn(self, campaign: int, verb: str) -> None:
        """Start, pause or resume a campaign by the HTTP API: it is quicker than a command."""
        bearer = {"authorization": f"Bearer {self.story.campaigns_key}"}
        url = f"{self.web}/v1/campaigns/{campaign}/{verb}"
        assert self.client.post(url, headers=bearer).status_code == 200

    # --- scenes -----------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make API keys and a callback, and start the web process."""
        keys = [self.house.data("key", "create", name) for name in ("shop", "former")]
        self.house.command("key", "revoke", str(keys[1]["id"]))
        self.story.key, self.story.revoked_key = (key["key"] for key in keys)
        key = self.house.data("key", "create", "crm", "--scope", "campaigns")
        self.story.campaigns_key = key["key"]
        callback = self.house.data("callbacks", "add", self.app.url, "--sender", "shop")
        self.story.secret = callback["secret"]
        self.web = self.house.web()

    def history(self) -> None:
        """Let messages of every class be submitted: reported, awaiting reports, and unknown."""
        for name, words in (
            ("delivered", {}),
            ("delivered_code", {"message_class": "otp"}),
            ("awaiting_code", {"message_class": "otp"}),
            ("awaiting", {"to": self.numbers(3)}),
            ("in_raw_page", {"to": self.numbers(2)}),
        ):
            self.send(name, account="first", **words)
        self.send("awaiting_second", account="second")
        self.send("in_spooled_page", account="second")
        self.send("in_push", account="second")
        self.campaign("done", self.numbers(7), account="first")
        sent = ("delivered", "delivered_code", "awaiting_code", "awaiting", "awaiting_second")
        self.await_state("submitted", *sent, "in_spooled_page", "in_raw_page", "in_push", "done")
        self.report("delivered")
        self.report("delivered_code")
        self.await_state("delivered", "delivered", "delivered_code")
        for name, account, what in (
            ("unknown_taken", "first", "take_then_502"),
            ("unknown_not_taken", "first", "not_taken_502"),
            ("unknown_second", "second", "take_then_502"),
        ):
            gateway = ACCOUNTS[account]["gateway"]
            to = self.numbers(1)
            self.rule(what, gateway=gateway, call="submit", numbers=to)
            self.send(name, to=to, account=account)
            self.await_state("unknown", name)
            # A known outcome ends the doubt about the account.
            self.send(f"after_{name}", account=account)
            self.await_state("submitted", f"after_{name}")
        scheduled = datetime.now(UTC) + timedelta(hours=1)
        (cancelled,) = self.send("cancelled", not_before=scheduled)
        self.producer.cancel(cancelled)
        self.send("scheduled", not_before=scheduled)

    def opt_out(self) -> None:
        """Let a number opt out by a reply, that a campaign was loaded with before."""
        self.campaign("paused", [*self.numbers(30), OPTED_OUT], account="first", start=False)
        self.send("answered", to=[OPTED_OUT], account="first")
        self.await_state("submitted", "answered")
        self.gateways.control.reply("jzyyun", OPTED_OUT, "T")
        eventually(
            lambda: (
                self.house.command("collect", "inbound", "--account", "first")
                and self.house.value("SELECT count(*) FROM xinshi_opt_out")
            )
        )

    def accounts(self) -> None:
        """Bring accounts to holds, a learned pace, counted calls, and a sent counter in doubt."""
        self.rule("throttled", gateway="ihuyi", call="submit", count=1)
        for name in ("limited_before", "limited_too"):
            self.send(name, CODE, to=[LIMITED], account="paced")
            self.await_state("submitted", name)
        self.send("limited_planned", CODE, to=[LIMITED], account="paced")
        query = "SELECT count(*) FROM xinshi_submission WHERE code = 'per_msisdn'"
        eventually(lambda: self.house.value(query))
        eventually(lambda: self._account("locked")["held_login"])
        self.send("counted", account="counted")
        self.await_state("submitted", "counted")
        eventually(lambda: self._account("counted")["counter"].get("sent") == 1)
        # From now on its counter is not told either: the doubt stays.
        self.rule("not_taken_502", gateway="c123")
        self.send("in_doubt", account="counted")
        self.await_state("unknown", "in_doubt")
        self.house.command("account", "hold", "counted", "--why", "the contract is under review")
        self.send("held", account="counted")

    def _account(self, name: str) -> dict[str, Any]:
        """Return what the database knows of an account; JSON that is NULL is empty."""
        query = "SELECT * FROM xinshi_account_state WHERE account = :name"
        row = dict(self.house.rows(query, name=name)[0])
        for column in ("counter", "pace", "learned"):
            value = row[column]
            row[column] = json.loads(value) if isinstance(value, str) else value or {}
        return row

    def callbacks(self) -> None:
        """Let events be told, be refused for now, and be parked; count a code to a number."""
        text = {"text": NOTICE}
        for name, status, headers in (
            ("http_told", 204, {"idempotency_key": "order-1001"}),
            ("http_refused", 503, {}),
            ("http_parked", 400, {}),
        ):
            (to,) = self.numbers(1)
            self.app.answers[to] = status
            ids = self.post("/v1/messages", {"to": to, **text}, **headers)
            self.note(name, ids, [to])
        (to,) = self.numbers(1)
        ids = self.post("/v1/messages", {"to": to, "text": CODE, "class": "otp"})
        self.note("http_code", ids, [to])
        waiting = "SELECT count(*) FROM xinshi_callback_event WHERE {}"
        eventually(
            lambda: (
                self.house.value(waiting.format("next_at IS NULL")) == 1
                and self.house.value(waiting.format("problem = '503'")) == 1
                and self.house.value(waiting.format("true")) == 2
            )
        )

    def campaigns(self) -> None:
        """Let campaigns be paused when a part is handed out; break off the loading of another."""
        self.campaign("ready", self.numbers(3), start=False)
        self.campaign("personal", self.numbers(14), PERSONAL, account="first", start=False)
        slow = self.rule("latency", gateway="jzyyun", call="submit", args={"seconds": 1.5})
        going = "SELECT count(*) FROM xinshi_submission WHERE state = 'in_flight'"
        for name in ("paused", "personal"):
            self.turn(self.story.campaigns[name], "start")
            eventually(lambda: self.house.value(going))
            self.turn(self.story.campaigns[name], "pause")
            eventually(lambda: not self.house.value(going))
            states = self.house.states(self.story.ids[name])
            assert states.keys() == {"submitted", "queued"}, f"{name}: {states}"
        self.gateways.control.clear(slow)
        numbers = self.numbers(3)
        file = self.house.folder / "loading.csv"
        file.write_text("\n".join(["msisdn", *numbers]), "utf-8")
        words = ("--recipients", file.name, "--text", ADVERT, "--key", "spring")
        # After the commit that brings them in, and before that which says that this is all.
        points = "commit.after=kill@2"
        self.house.command("campaign", "create", *words, code=-signal.SIGKILL, points=points)
        query = "SELECT request_id FROM xinshi_campaign WHERE state = 'loading'"
        self.story.campaigns["loading"] = campaign = self.house.value(query)
        self.note("loading", [f"{campaign}-{n}" for n in range(3)], numbers)

    def retry(self) -> None:
        """Have a message refused for now, and again."""
        to = self.numbers(1)
        self.rule("refuse", gateway="jzyyun", call="submit", numbers=to, args={"code": REFUSED})
        ids = self.send("retry", to=to, account="first")
        eventually(lambda: self.house.messages(ids)[0]["attempts"] == 3)

    def killed(self, deaf: Callable[[], AbstractContextManager[None]]) -> None:
        """Kill workers right after their write-ahead, and right after the gateway took a call.

        They wait for work side by side; whichever comes first takes it, and dies with it. Beside
        them a worker leaves what it has in its spool, and another one a page that nobody has read.
        """
        self.report("in_spooled_page")
        page, outcome = Door(), Door()
        points = f"collect.answered=tell:{page.port}@1,record.before=tell:{outcome.port}@1"
        config = self.another("spooling", "second")
        spooling = self.house.begin(*WORKER, "notice", points=points, config=config)
        self.in_flight()
        ids = self.send("in_spool", to=self.numbers(3), account="second")
        outcome.wait()
        page.wait()
        self.report("in_raw_page")
        points, config = "collect.page_stored=kill", self.another("reading", "first")
        reading = self.house.begin(*WORKER, "ticks", points=points, config=config)
        eventually(lambda: reading.poll() is not None)
        with deaf():
            page.open()
            outcome.open()
            eventually(lambda: len(list(self.house.spool.glob("[!.]*"))) == 2)
            spooling.kill()
            spooling.wait()
        assert self.house.states(ids).keys() == {"submitting"}

    def in_flight(self) -> None:
        """Leave codes and campaigns in flight: those that the gateway took, and those not."""
        config = self.another("killed", mute=["first", "second"])
        points = ("write_ahead.after=kill", "call.after=kill")
        classes = ("otp", "marketing")
        workers = {
            (name, point): self.house.begin(*WORKER, name, points=point, config=config)
            for name in classes
            for point in points
        }
        # With the one that has ended, and the one that will leave what it has in its spool.
        eventually(lambda: self.house.log.read_text("utf-8").count("worker.started") == 6)
        for message_class in classes:
            alive = {point: workers[message_class, point] for point in points}
            while alive:
                to = self.numbers(1 if message_class == "otp" else 3)
                ids = self._for_one_worker(message_class, to)
                point = eventually(partial(_ended, alive))
                del alive[point]
                taken = "taken" if point.startswith("call") else "not_taken"
                self.note(f"{message_class}_{taken}", ids, to)
                if message_class == "marketing":
                    campaign, _, _ = ids[0].partition("-")
                    self.story.campaigns[f"marketing_{taken}"] = int(campaign)

    def _for_one_worker(self, message_class: str, to: Sequence[str]) -> list[str]:
        """Enqueue what one call carries: a code, or a campaign; returns the messages' ids."""
        if message_class == "otp":
            return list(self.producer.enqueue(to, CODE, message_class="otp").ids)
        loaded = self.producer.enqueue_campaign("in flight", to, ADVERT)
        return [f"{loaded.id}-{n}" for n in range(loaded.total)]

    def queue(self) -> None:
        """Enqueue what waits, with no worker left; have a report pushed that nobody reads."""
        self.send("code", CODE, message_class="otp")
        until = datetime.now(UTC) + timedelta(seconds=0.5)
        self.send("late_code", CODE, message_class="otp", not_after=until)
        self.send("notice")
        self.send("list", to=self.numbers(3), key="order-2002")
        self.send("marketing", ADVERT, message_class="marketing")
        self.send("to_opted_out", ADVERT, to=[OPTED_OUT], message_class="marketing")
        self.send("limited", CODE, to=[LIMITED], account="paced")
        (to,) = self.numbers(1)
        self.note("http", self.post("/v1/messages", {"to": to, "text": NOTICE}), [to])
        self.turn(self.story.campaigns["personal"], "resume")
        self.gateways.control.push("apiv1", "report", f"{self.web}/push/second/{TOKEN}")
        self.report("in_push")
        unread = "SELECT count(*) FROM xinshi_inbox WHERE parsed_at IS NULL AND kind = :kind"
        eventually(lambda: self.house.value(unread, kind="push") == 1)
        assert self.house.value(unread, kind="reports") == 1

    def record(self, deaf: Callable[[], AbstractContextManager[None]]) -> None:
        """Play all scenes; the story's moment is that of the end."""
        self.rule("lose_reports")
        self.prepare()
        worker = self.house.begin(*WORKER, "otp", "notice", "marketing", "ticks")
        self.history()
        self.opt_out()
        self.accounts()
        self.campaigns()
        self.callbacks()
        self.retry()
        worker.terminate()
        assert worker.wait(60) == 0
        self.killed(deaf)
        self.queue()
        self.producer.close()
        self.client.close()
        for process in self.house.processes:
            process.kill()
            process.wait()
        self._let_leases_run()
        self.story.at = datetime.now(UTC)
        self.story.taken_events = sorted(self.app.taken())
        self.check()

    def _let_leases_run(self) -> None:
        """Wait until the leases of the killed end soon: whoever goes on has to wait for them."""
        leases = [
            _moment(row["lease_until"])
            for table in ("xinshi_submission", "xinshi_tick")
            for row in self.house.rows(
                f"SELECT lease_until FROM {table} WHERE lease_until IS NOT NULL"
            )
        ]
        wait = (max(leases) - datetime.now(UTC)).total_seconds() - LEFT
        time.sleep(max(0.0, wait))

    def check(self) -> None:
        """Fail unless everything is as the story tells it."""
        expected = {
            **dict.fromkeys(["otp_taken", "otp_not_taken", "marketing_taken"], "submitting"),
            **dict.fromkeys(["marketing_not_taken", "in_spool"], "submitting"),
            **dict.fromkeys(["code", "late_code", "notice", "list", "marketing"], "queued"),
            **dict.fromkeys(["to_opted_out", "limited", "limited_planned"], "queued"),
            **dict.fromkeys(["http", "held", "scheduled"], "queued"),
            **dict.fromkeys(["retry", "ready", "loading"], "queued"),
            **dict.fromkeys(["awaiting", "awaiting_code", "awaiting_second"], "submitted"),
            **dict.fromkeys(["in_spooled_page", "in_raw_page", "in_push", "done"], "submitted"),
            **dict.fromkeys(["unknown_taken", "unknown_not_taken"], "unknown"),
            **dict.fromkeys(["unknown_second", "in_doubt"], "unknown"),
        }
        for name, state in expected.items():
            states = self.house.states(self.story.ids[name])
            assert set(states) == {state}, f"{name}: {states}"
        query = "SELECT lease_until FROM xinshi_submission WHERE state = 'in_flight'"
        leases = [_moment(row["lease_until"]) for row in self.house.rows(query)]
        assert len(leases) == 5, leases
        assert min(leases) > self.story.at, "a lease was over before the recording"
        assert self._account("paced")["learned"], "no pace was learned"
        assert self._account("paced")["pace"], "the database did not stand in for Redis"
        assert self._account("locked")["held_login"], "the wrong login was not held"


def _ended(workers: dict[str, subprocess.Popen[bytes]]) -> str | None:
    """Return the name of a worker that has ended, if there is one."""
    return next((name for name, worker in workers.items() if worker.poll() is not None), None)


def _moment(value: Any) -> datetime:
    """Read a time as a driver gives it: SQLite's are texts in UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def record(kind: Callable[[Path], AbstractContextManager[Recorded]], target: Path) -> None:
    """Make one recording in a folder, in place of what is there."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinshi-recording-")))
        database = stack.enter_context(kind(folder))
        ledger = folder / LEDGER
        gateways = stack.enter_context(
            Sandbox(ledger=ledger, fsync="none", report_delay=0, reply_delay=0, limits=False)
        )
        app = stack.enter_context(application())
        house = House(folder, database.url)
        stack.callback(house.end)
        version = house.command("--version").strip()
        where = (database.configured, gateways.base_url, app.url)
        story = Story(datetime.now(UTC), version, *where)
        try:
            Recorder(house, gateways, app, story).record(database.deaf)
        except BaseException:
            sys.stderr.write(house.log.read_text("utf-8")[-5000:] if house.log.exists() else "")
            raise
        # Whose machine it was is of no interest.
        machine = re.compile(rf"\b{re.escape(socket.gethostname()[:30])}-(?=\d+-[0-9a-f]{{8}})")
        shutil.rmtree(target, ignore_errors=True)
        (target / SPOOL).mkdir(parents=True)
        (target / DATABASE).write_text(machine.sub("recorder-", database.dump()), "utf-8")
        (target / CONFIG).write_text(house.config.read_text("utf-8"), "utf-8")
        taken = [line for line in ledger.read_text("utf-8").splitlines() if '"taken":' in line]
        (target / LEDGER).write_text("\n".join(taken) + "\n", "utf-8")
        for file in house.spool.iterdir():
            shutil.copyfile(file, target / SPOOL / machine.sub("recorder-", file.name))
        story.write(target)


def main() -> None:
    """Record both databases."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade.record")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    record(sqlite, folder / "sqlite")
    record(postgresql, folder / "postgresql")


if __name__ == "__main__":
    main()
