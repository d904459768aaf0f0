"""The server: HTTP as clients really speak it, and loopback only."""

import asyncio
import gc
import socket

import httpx
import pytest

from tests.support.sandbox_customers import C123, dial, eventually, hear, raw_tx, send_sms, tx
from worker.sandbox import Config, Sandbox, __main__, serve


@pytest.mark.parametrize("fsync", ["each", "group"])
def test_pipelined_requests_are_answered_in_order(fsync: str, tmp_path: object) -> None:
    """Also where a read, which waits for no disk, stands behind a submission, which does."""
    read = f"GET /c123/mm/?uid=9999&pwd={C123['pwd']}&cmd=send HTTP/1.1\r\nHost: s\r\n\r\n".encode()
    with Sandbox(ledger=f"{tmp_path}/ledger", fsync=fsync) as sandbox, dial(sandbox) as line:  # type: ignore[arg-type]
        last = read.replace(b"Host", b"Connection: close\r\nHost")
        line.sendall((raw_tx() + read) * 100 + last)
        bodies = [part.rpartition(b"\r\n\r\n")[2] for part in hear(line).split(b"HTTP/1.1 200 OK")]
    expected = [b""]
    for number in range(1, 101):
        expected += [b"100", b"100||%d" % number]
    assert bodies == [*expected, b"100||100"]


def test_a_request_in_small_pieces(sandbox: Sandbox) -> None:
    with dial(sandbox) as line:
        for byte in raw_tx():
            line.sendall(bytes((byte,)))
        assert line.recv(4096).endswith(b"100")


def test_a_body_in_chunks(sandbox: Sandbox, http: httpx.Client) -> None:
    """Some clients send without a length."""
    form = f"uid=9999&pwd={C123['pwd']}&mobile=13800138000&content=test"
    pieces = iter([form[:20].encode(), form[20:].encode()])
    assert http.post(sandbox.url("c123") + "/tx/", content=pieces).text == "100"


def test_who_asks_first_is_told_to_go_on(sandbox: Sandbox) -> None:
    """`Expect: 100-continue`, as curl sends it with large bodies."""
    head, _, body = raw_tx().partition(b"\r\n\r\n")
    with dial(sandbox) as line:
        line.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert line.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(body)
        assert line.recv(4096).endswith(b"100")


def test_an_offer_to_upgrade_is_ignored(sandbox: Sandbox) -> None:
    """As Java's client makes it with its first request."""
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\nHost"
    with dial(sandbox) as line:
        line.sendall(raw_tx(method="GET").replace(b"Host", offer, 1))
        assert line.recv(4096).endswith(b"100")
        line.sendall(raw_tx(method="GET"))
        assert line.recv(4096).endswith(b"100")


def test_http_1_0_closes(sandbox: Sandbox) -> None:
    with dial(sandbox) as line:
        line.sendall(raw_tx(method="GET").replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert hear(line).endswith(b"100")


def test_no_http(sandbox: Sandbox) -> None:
    with dial(sandbox) as line:
        line.sendall(b"EHLO sandbox\r\n\r\n")
        assert hear(line).startswith(b"HTTP/1.1 400")


def test_twenty_thousand_numbers(sandbox: Sandbox, http: httpx.Client) -> None:
    """One body of 240 kB; every number is in the ledger."""
    numbers = [f"138{n:08d}" for n in range(20_000)]
    assert send_sms(sandbox, http, ",".join(numbers)).startswith("success;")
    assert [one.msisdn for one in sandbox.taken()] == numbers


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "", "sms.example", "::"])
def test_loopback_only(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        Sandbox(host=host).start()


def test_the_command_says_why_it_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--host", "0.0.0.0"]) == 2
    assert "loopback only" in capsys.readouterr().err


def test_in_the_callers_own_loop() -> None:
    """`serve` for tests that are asynchronous themselves."""

    async def run() -> str:
        running = await serve(Config())
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(running.url("c123") + "/mm/", params=C123)
                return answer.text
        finally:
            await running.close()

    assert asyncio.run(run()) == "100||100000000"


def test_a_taken_port_is_said(sandbox: Sandbox) -> None:
    port = int(sandbox.base_url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        Sandbox(port=port).start()


def test_started_again_on_its_port(tmp_path: object, http: httpx.Client) -> None:
    """As a gateway that was away for a moment."""
    sandbox = Sandbox(ledger=f"{tmp_path}/ledger")
    sandbox.start()
    sandbox.port = int(sandbox.base_url.rpartition(":")[2])
    try:
        assert tx(sandbox, http) == "100"
        sandbox.stop()
        with pytest.raises(RuntimeError, match="not running"):
            sandbox.url("c123")
        sandbox.start()
        assert tx(sandbox, http) == "100"
        assert len(list(sandbox.taken())) == 2
    finally:
        sandbox.stop()


def test_stopping_with_a_hanging_client(sandbox: Sandbox) -> None:
    """Nobody waits for one that will never be answered."""
    sandbox.control.rule("take_then_hang")
    with dial(sandbox) as line:
        line.sendall(raw_tx())
        eventually(lambda: list(sandbox.taken()))
        sandbox.stop()
        assert hear(line) == b""
    assert len(list(sandbox.taken())) == 1


def test_closing_leaves_nobody_open_who_was_let_in_just_now() -> None:
    """What is left open would be warned of; a warning is an error."""

    async def close_at_once() -> None:
        running = await serve(Config())
        lines = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(20)]
        # Two turns of the loop: asyncio has accepted them, and made no connections of them yet.
        for _ in range(2):
            await asyncio.sleep(0)
        await running.close()
        for line in lines:
            line.close()

    asyncio.run(close_at_once())
    gc.collect()
