"""The baseline of singles: Kannel, with its spool on the disk and one HTTP request per message.

Its bearerbox keeps each message as a file until the gateway has answered; its smsbox takes twenty
recipients with one call. Both are of this run alone, on free ports of the loopback interface.
"""

import contextlib
import http.client
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.bench.ground import SandboxProcess, wait
from tests.support.faults.servers import Server, free_port
from tests.support.stage import LOGINS

#: So many recipients go with one call, and so many calls are under way.
PER_CALL = 20
FEEDERS = 4
#: Where a distribution puts them, when the path has none.
FOLDERS = "/usr/sbin:/usr/lib/kannel"
_CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = bench
smsbox-port = {smsbox}
admin-interface = 127.0.0.1
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-file = {folder}/bearerbox.log
log-level = 4
store-type = spool
store-location = {folder}/spool

group = smsc
smsc = http
smsc-id = gateway
system-type = generic
send-url = "{url}"
status-success-regex = '"code":2,'
status-permfail-regex = '"code":4'
max-pending-submits = {pending}
alt-charset = "UTF-8"

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {smsbox}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
sendsms-chars = "0123456789"
log-file = {folder}/smsbox.log
log-level = 4

group = sendsms-user
username = bench
password = bench
max-messages = 10
"""


def missing() -> str:
    """Say what of Kannel this machine lacks; empty when it has all of it."""
    return ", ".join(name for name in ("bearerbox", "smsbox") if _program(name) is None)


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=FOLDERS)


@dataclass
class Box(Server):
    """One of Kannel's processes; it is ready when it answers at its port."""

    name: str = ""

    def command(self) -> list[str]:
        """In the foreground, with nothing but its end on its output."""
        return [str(_program(self.name)), "-v", "4", str(self.folder / "kannel.conf")]

    def ready(self) -> bool:
        """Tell whether it answers, whatever it says."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        with contextlib.closing(line):
            line.request("GET", "/status.txt?password=bench")
            return bool(line.getresponse().status)


@contextlib.contextmanager
def running(folder: Path, sandbox: SandboxProcess, pending: int) -> Iterator[Box]:
    """Run a bearerbox for the sandbox's ihuyi, so many requests under way; lends the smsbox."""
    (folder / "spool").mkdir(parents=True)
    bearerbox, smsbox = Box(folder, name="bearerbox"), Box(folder, name="smsbox")
    written = _CONFIGURATION.format(
        folder=folder,
        admin=bearerbox.port,
        smsbox=free_port(),
        sendsms=smsbox.port,
        url=_url(sandbox),
        pending=pending,
    )
    (folder / "kannel.conf").write_text(written, "utf-8")
    with contextlib.ExitStack() as stack:
        for box in (bearerbox, smsbox):
            stack.callback(box.kill)
            box.start()
        yield smsbox


def _url(sandbox: SandboxProcess) -> str:
    """Write the address of a call: Kannel puts the number for %p and the text for %b."""
    login = LOGINS["codes"]
    return (
        f"{sandbox.url('ihuyi')}/webservice/sms.php?method=Submit&format=json"
        f"&account={login['account']}&password={login['api_key']}&mobile=%p&content=%b"
    )


def send(
    folder: Path, sandbox: SandboxProcess, numbers: Sequence[str], text: str, pending: int
) -> float:
    """Hand numbers to Kannel, and return the seconds from the first call to the last arrival.

    Each starts with an empty spool; the ledger says what arrived.
    """
    with running(folder, sandbox, pending) as smsbox:
        groups = [numbers[at : at + PER_CALL] for at in range(0, len(numbers), PER_CALL)]
        arrived = sandbox.ledger.stat().st_size if sandbox.ledger.exists() else 0
        began = time.perf_counter()
        with ThreadPoolExecutor(FEEDERS) as feeders:
            for _ in feeders.map(
                lambda nth: _feed(smsbox.port, groups[nth::FEEDERS], text), range(FEEDERS)
            ):
                pass
        wait(_Arrivals(sandbox.ledger, arrived, len(numbers)))
        return time.perf_counter() - began


def _feed(port: int, groups: Sequence[Sequence[str]], text: str) -> None:
    """Make a call for each group, one after the other, on one connection."""
    fixed = f"username=bench&password=bench&from=1&charset=UTF-8&coding=2&text={quote(text)}"
    line = http.client.HTTPConnection("127.0.0.1", port)
    with contextlib.closing(line):
        for group in groups:
            line.request("GET", f"/cgi-bin/sendsms?{fixed}&to={'+'.join(group)}")
            answer = line.getresponse()
            answer.read()
            if answer.status != 202:
                msg = f"Kannel answered {answer.status}"
                raise RuntimeError(msg)


@dataclass
class _Arrivals:
    """Whether so many messages were taken, by a look at what the ledger has grown by."""

    ledger: Path
    at: int
    left: int

    def __call__(self) -> bool:
        with self.ledger.open("rb") as lines:
            lines.seek(self.at)
            grown = lines.read()
        self.at += len(grown)
        self.left -= grown.count(b'"taken":')
        return self.left <= 0
