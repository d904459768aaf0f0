"""The ledger: first the disk, then the answer; and a second run goes on where one ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.sandbox_customers import (
    C123,
    Clock,
    api,
    dial,
    eventually,
    raw_tx,
    send,
    send_sms,
    submit,
    tx,
)
from worker.sandbox import Fsync, Sandbox
from worker.sandbox.ledger import (
    LedgerTotals,
    calls,
    numbers_taken,
    read,
    taken,
    times_taken,
    totals,
)

FIRST = (
    '{"at":1.5,"seq":1,"gateway":"c123","account":"9999","call":"tx","code":"100","size":2,'
    '"text":"a","segments":2,"taken":["13800138000","13800138001"]}\n'
)
SECOND = '{"at":2.0,"seq":2,"gateway":"c123","account":"9999","call":"mm","code":"100","size":0}\n'


@contextmanager
def process(path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a sandbox as a process of its own, and know its port."""
    command = [sys.executable, "-m", "worker.sandbox", "--ledger", str(path), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child, int(child.stdout.readline().rpartition(":")[2])
        finally:
            child.kill()


@pytest.mark.parametrize("fsync", ["each", "group"])
def test_who_was_answered_is_in_the_ledger_of_the_killed(ledger: Path, fsync: str) -> None:
    """SIGKILL right after the answer's first byte: the line is there."""
    with process(ledger, "--fsync", fsync) as (child, port):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            line.sendall(raw_tx())
            assert line.recv(1)
            child.kill()
        assert child.wait() == -signal.SIGKILL
    (entry,) = read(ledger)
    assert entry.taken == ("13800138000",)


@pytest.mark.parametrize("fsync", ["each", "group"])
def test_no_byte_leaves_before_the_disk_has_it(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, fsync: Fsync
) -> None:
    """As long as fsync does not return, the client hears nothing."""
    begun, go = threading.Event(), threading.Event()

    def slow(_file: int) -> None:
        begun.set()
        assert go.wait(5)

    with Sandbox(ledger=ledger, fsync=fsync) as sandbox, dial(sandbox) as line:
        monkeypatch.setattr(os, "fsync", slow)
        line.sendall(raw_tx())
        assert begun.wait(5)
        line.settimeout(0.05)
        with pytest.raises(TimeoutError):
            line.recv(1)
        assert len(list(sandbox.taken())) == 1
        go.set()
        line.settimeout(5)
        assert line.recv(4096).endswith(b"100")


@pytest.mark.parametrize(("fsync", "most"), [("each", 20), ("group", 19), ("none", 0)])
def test_a_group_shares_one_fsync(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, fsync: Fsync, most: int
) -> None:
    """Twenty requests that wait for the loop together cost one fsync in `group`, or two."""
    fsyncs: list[int] = []
    hold, held = threading.Event(), threading.Event()

    def stand_still() -> None:
        held.set()
        assert hold.wait(5)

    with Sandbox(ledger=ledger, fsync=fsync) as sandbox:
        monkeypatch.setattr(os, "fsync", fsyncs.append)
        lines = [socket.create_connection(("127.0.0.1", _port(sandbox)), 5) for _ in range(20)]
        assert sandbox._loop is not None
        sandbox._loop.call_soon_threadsafe(stand_still)
        assert held.wait(5)
        for number, line in enumerate(lines):
            line.sendall(raw_tx(f"138001380{number:02d}"))
        hold.set()
        for line in lines:
            assert line.recv(4096).endswith(b"100")
            line.close()
    assert len(fsyncs) <= most
    assert (len(fsyncs) == 20) == (fsync == "each")
    assert len(list(taken(ledger))) == 20


def _port(sandbox: Sandbox) -> int:
    return int(sandbox.base_url.rpartition(":")[2])


def test_refusals_and_reads_need_no_fsync(
    ledger: Path, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsyncs: list[int] = []
    with Sandbox(ledger=ledger) as sandbox:
        monkeypatch.setattr(os, "fsync", fsyncs.append)
        tx(sandbox, http, pwd="wrong")
        http.get(sandbox.url("c123") + "/mm/", params=C123)
        assert [entry.code for entry in sandbox.entries()] == ["101", "100"]
    assert not fsyncs


def test_a_torn_last_line_is_left_out(ledger: Path) -> None:
    ledger.write_text(FIRST + SECOND[:40])
    assert [entry.seq for entry in read(ledger)] == [1]


def test_a_torn_line_within_is_an_error(ledger: Path) -> None:
    ledger.write_text(SECOND[:40] + "\n" + FIRST)
    with pytest.raises(ValueError, match="line 1 is not a ledger line"):
        list(read(ledger))


def test_adding_up(ledger: Path) -> None:
    ledger.write_text(FIRST + SECOND + FIRST)
    assert totals(ledger) == LedgerTotals(3, 2, 4, 8, 2)
    assert numbers_taken(ledger) == {"13800138000": 2, "13800138001": 2}
    assert times_taken(ledger)["13800138000", "a"] == 2
    assert calls(ledger)["c123", "tx", "100"] == 2
    one = next(taken(ledger))
    assert one == ("13800138000", "a", "c123", "9999", 1.5, "", "")


def test_a_line_holds_what_the_gateway_knew(sandbox: Sandbox, http: httpx.Client) -> None:
    """And nothing that is empty."""
    send(sandbox, http, "13800138000", taskId='t"1', extNo="7")
    assert sandbox.ledger is not None
    line = json.loads(Path(sandbox.ledger).read_text())
    assert line == {
        "at": 1_700_000_000.0,
        "seq": 1,
        "gateway": "apiv1",
        "account": "demo",
        "call": "send",
        "code": "00",
        "size": 1,
        "text": "【信使】通知",
        "segments": 1,
        "extension": "7",
        "reference": 't"1',
        "id": 't"1',
        "taken": ["13800138000"],
    }


def test_a_second_run_goes_on(ledger: Path, http: httpx.Client, clock: Clock) -> None:
    """Numbering, counters, balances, identifiers, limits and known tasks are those of before."""

    def live(sandbox: Sandbox) -> None:
        sandbox.control.options("apiv1", repeated_task="refuse")
        found.append(tx(sandbox, http, "13800138000,13800138001"))
        found.append(submit(sandbox, http)["smsid"])
        found.append(send(sandbox, http, "13800138000", taskId="t1")["code"])
        found.append(send_sms(sandbox, http, "13800138000"))
        sent = C123 | {"cmd": "send"}
        found.append(http.get(sandbox.url("c123") + "/mm/", params=sent).text)
        found.append(str(api(sandbox, http, "queryBalance")["data"]["balance"]))

    found: list[str] = []
    for _ in range(2):
        with Sandbox(ledger=ledger, clock=clock) as sandbox:
            live(sandbox)
    first, second = found[:6], found[6:]
    assert first[4:] == ["100||2", "99999999"]
    # One second is not over, and the task is known.
    assert second[:3] == ["100", "0", "06"]
    assert second[3] != first[3]
    assert second[4:] == ["100||4", "99999999"]
    assert [entry.seq for entry in read(ledger)] == list(range(1, 13))


def test_a_second_run_cuts_a_torn_line_off(ledger: Path, http: httpx.Client) -> None:
    """Nobody was answered for it, so nobody misses it."""
    ledger.write_text(FIRST + "x" * 100_000)
    with Sandbox(ledger=ledger) as sandbox:
        tx(sandbox, http)
    assert [entry.seq for entry in read(ledger)] == [1, 2]


def test_two_at_one_ledger_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="another sandbox writes"):
        Sandbox(ledger=sandbox.ledger).start()


def test_read_while_it_is_written(sandbox: Sandbox, http: httpx.Client) -> None:
    for times in (1, 2, 3):
        tx(sandbox, http)
        assert len(list(sandbox.taken())) == times


def test_a_process_stops_when_told(ledger: Path, tmp_path: Path) -> None:
    """SIGTERM: the ledger is whole, and the port stood in the file."""
    file = tmp_path / "port"
    with process(ledger, "--fsync", "group", "--port-file", str(file)) as (child, port):
        assert file.read_text() == f"{port}\n"
        fields = C123 | {"mobile": "13800138000", "content": "test"}
        with httpx.Client(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client:
            assert client.get("/c123/tx/", params=fields).text == "100"
            assert client.get("/c123/mm/", params=C123).text.startswith("100||")
        child.send_signal(signal.SIGTERM)
        assert child.wait(5) == 0
    assert len(list(read(ledger))) == 2
    eventually(lambda: not file.with_name("port.part").exists())
