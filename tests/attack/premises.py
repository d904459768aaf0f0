"""The installation that is attacked: `xinshi up`, a sandbox, a database, and what they wrote."""

import re
import resource
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producer.local.embedded_valkey import die_with_parent
from tests.attack.kinds.odd_rows import ACCOUNTS as ODD_ACCOUNTS
from tests.bench.ground import ROOT, Ground, wait
from tests.support.faults.house import toml
from tests.support.stage import LOGINS
from worker.config.settings import Settings, load
from worker.domain import api_keys
from worker.domain.enums import Scope
from worker.store import keys
from worker.store.db import database

#: The accounts of the house: codes have one of their own.
HONEST: dict[str, dict[str, Any]] = {
    "codes": {**LOGINS["jzy"], "classes": ["otp"]},
    "bulk": {**LOGINS["v1"], "classes": ["notice", "marketing"]},
}
#: The accounts at the hostile gateway: nothing comes there that does not name them.
HOSTILE = ("orphans", "huge", *ODD_ACCOUNTS)
_ACCOUNT: dict[str, Any] = {
    "sending_hours": "any",
    "collect_reports_every": "1s",
    "collect_inbound_every": "5s",
}
_STOP_SECONDS = 60.0


@dataclass
class Premises:
    """What runs, and where it writes."""

    settings: Settings
    config: Path
    log: Path
    ledger: Path
    process: subprocess.Popen[bytes]
    web: int
    tokens: dict[str, str]

    def key(self, name: str, *scopes: Scope) -> str:
        """Make an API key."""
        key = api_keys.make(test=False)
        engine = database.connect(self.settings.database_url)
        with database.writing(engine) as connection:
            keys.add(connection, name, api_keys.digest(key), scopes, test=False, rate=None)
        engine.dispose()
        return key

    def stop(self) -> bool:
        """Send TERM, and tell whether all of it finished in time and said so."""
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(_STOP_SECONDS) == 0
        return False

    def died(self) -> int:
        """Count the processes that died."""
        return self.log.read_text("utf-8", "replace").count("up.process_died")


@contextmanager
def running(ground: Ground, url: str, gateway: int, files: int) -> Iterator[Premises]:
    """Run a house whose processes may open so many files, with accounts at a hostile gateway."""
    config, log = ground.folder / "xinshi.toml", ground.folder / "up.log"
    tokens = {name: secrets.token_urlsafe(24) for name in HOSTILE}
    config.write_text(toml(_tables(ground, url, gateway, tokens)), "utf-8")
    process = _started(config, log, files)
    try:
        port = wait(lambda: _port(log, process), 60.0)
        yield Premises(load(config, {}), config, log, ground.sandbox.ledger, process, port, tokens)
    finally:
        # What it started ends with it.
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        process.kill()
        process.wait()


def _tables(ground: Ground, url: str, gateway: int, tokens: dict[str, str]) -> dict[str, Any]:
    accounts = {
        name: {"base_url": ground.sandbox.url(section["gateway"]), **_ACCOUNT, **section}
        for name, section in HONEST.items()
    }
    for name in HOSTILE:
        login = LOGINS["jzy"] if name == "soap" else LOGINS["v1"]
        accounts[name] = {
            **_ACCOUNT,
            **login,
            "base_url": f"http://127.0.0.1:{gateway}/{name}",
            "classes": [],
            **({"transport": "soap"} if name == "soap" else {"push_tokens": [tokens[name]]}),
            **({"collect_reports_every": "15s"} if name == "huge" else {}),
        }
    return {
        "database_url": url,
        "broker_url": "embedded",
        "state_dir": str(ground.folder / "state"),
        "callback_secrets": [secrets.token_urlsafe(24)],
        "callback_networks": ["127.0.0.0/8"],
        "accounts": accounts,
    }


def _started(config: Path, log: Path, files: int) -> subprocess.Popen[bytes]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def prepare() -> None:
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))

    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "producer.cli", "--config", str(config), "up", "--web-port=0"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - two calls of the system and nothing else
        )


def _port(log: Path, process: subprocess.Popen[bytes]) -> int | None:
    written = log.read_text("utf-8")
    assert process.poll() is None, written[-2000:]
    found = re.search(r"API +http://127\.0\.0\.1:(\d+)", written)
    return int(found[1]) if found and "web.listening" in written else None
