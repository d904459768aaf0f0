"""What a client sees of each misbehaviour on the wire, and what the ledger says of it."""

import socket
from urllib.parse import urlencode

import httpx
import pytest

from tests.support.sandbox_customers import (
    C123,
    dial,
    eventually,
    hear,
    raw_tx,
    submit,
    tx,
    user_api,
)
from worker.sandbox import Sandbox

CLOSED = b""
RESET = b"<RST>"


def _seen(sandbox: Sandbox, request: bytes) -> bytes:
    with dial(sandbox) as line:
        line.sendall(request)
        line.settimeout(2)
        return hear(line)


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize(
    ("wire", "seen"),
    [
        ("close", CLOSED),
        ("reset", RESET),
        ("half_header", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Le"),
    ],
)
def test_dropped(sandbox: Sandbox, wire: str, seen: bytes, method: str, *, taken: bool) -> None:
    """Whether the gateway took the message shows in the ledger alone, never to the client."""
    what = f"take_then_{wire}" if taken else f"not_taken_{wire}"
    sandbox.control.rule(what, gateway="c123", call="tx", count=1)
    assert _seen(sandbox, raw_tx(method=method)) == seen
    (entry,) = sandbox.entries()
    assert entry.did == what
    assert entry.taken == (("13800138000",) if taken else ())
    assert entry.code == ("100" if taken else "-")


def test_dropped_on_a_kept_connection(sandbox: Sandbox) -> None:
    """The second request of a connection is dropped, the first was answered."""
    sandbox.control.rule("take_then_reset", gateway="c123", call="tx", after=1, count=1)
    with dial(sandbox) as line:
        line.sendall(raw_tx())
        assert line.recv(4096).endswith(b"\r\n\r\n100")
        line.sendall(raw_tx("13800138001"))
        assert hear(line) == RESET
    assert [one.msisdn for one in sandbox.taken()] == ["13800138000", "13800138001"]


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_as_a_proxy(sandbox: Sandbox, http: httpx.Client, status: int) -> None:
    """An error status says nothing about what was taken."""
    for what, times in ((f"take_then_{status}", 1), (f"not_taken_{status}", 0)):
        sandbox.control.rule(what, count=1)
        answer = http.get(sandbox.url("c123") + "/tx/", params=_fields())
        assert answer.status_code == status
        entry = list(sandbox.entries())[-1]
        assert (len(entry.taken), entry.did) == (times, what)


def _fields() -> dict[str, str]:
    return C123 | {"mobile": "13800138000", "content": "test"}


@pytest.mark.parametrize(
    ("what", "args", "body"),
    [
        ("take_then_empty", {}, b""),
        ("take_then_garbage", {}, b"\xff\xfe<<<%&\x00 not an answer"),
        ("take_then_garbage", {"body": "100 maybe"}, b"100 maybe"),
        ("take_then_wrong_charset", {}, "100".encode("utf-16")),
        ("take_then_wrong_charset", {"charset": "utf-7"}, b"100"),
        ("take_then_chunked", {}, b"100"),
        ("take_then_unframed", {}, b"100"),
    ],
)
def test_odd_answers(
    sandbox: Sandbox, http: httpx.Client, what: str, args: dict[str, str], body: bytes
) -> None:
    """200, and a body that is not the document's, or is, in an unusual frame."""
    sandbox.control.rule(what, args=args)
    answer = http.get(sandbox.url("c123") + "/tx/", params=_fields())
    assert (answer.status_code, answer.content) == (200, body)
    assert len(next(sandbox.entries()).taken) == 1


def test_half_a_body(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.control.rule("take_then_half_body")
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(sandbox.url("c123") + "/tx/", params=_fields())
    assert len(next(sandbox.entries()).taken) == 1


def test_twice_answered(sandbox: Sandbox) -> None:
    """A second answer that nobody asked for lies in the connection afterwards."""
    sandbox.control.rule("take_then_twice", count=1)
    request = raw_tx().replace(b"Host", b"Connection: close\r\nHost", 1)
    assert _seen(sandbox, request).count(b"HTTP/1.1 200 OK") == 2
    assert len(list(sandbox.taken())) == 1


@pytest.mark.parametrize("what", ["take_then_hang", "not_taken_hang"])
def test_hanging(sandbox: Sandbox, what: str) -> None:
    """Nothing comes until the client gives up; the ledger is written all the same."""
    sandbox.control.rule(what)
    with dial(sandbox) as line:
        line.sendall(raw_tx())
        line.settimeout(0.1)
        with pytest.raises(TimeoutError):
            line.recv(1)
    eventually(lambda: list(sandbox.entries()))
    assert bool(next(sandbox.entries()).taken) == (what == "take_then_hang")
    eventually(lambda: sandbox.control.state()["connections"]["open"] == 1)


def test_hanging_for_a_while(sandbox: Sandbox) -> None:
    sandbox.control.rule("take_then_hang", args={"seconds": 0.05})
    assert _seen(sandbox, raw_tx()) == CLOSED


def test_trickling(sandbox: Sandbox) -> None:
    """The right answer, one byte at a time."""
    sandbox.control.rule("take_then_trickle", args={"interval": 0.001})
    with dial(sandbox) as line:
        line.sendall(raw_tx())
        pieces: list[bytes] = []
        while not b"".join(pieces).endswith(b"\r\n\r\n100"):
            pieces.append(line.recv(4096))
    assert len(pieces) > 20


def test_huge(sandbox: Sandbox, http: httpx.Client) -> None:
    """Megabytes, streamed; and they end when the client goes away."""
    sandbox.control.rule("take_then_huge", args={"megabytes": 3}, count=1)
    answer = http.get(sandbox.url("c123") + "/tx/", params=_fields())
    assert len(answer.content) == 3 << 20
    sandbox.control.rule("take_then_huge", args={"megabytes": 1000}, count=1)
    with http.stream("GET", sandbox.url("c123") + "/tx/", params=_fields()) as stream:
        next(stream.iter_raw(1000))
    assert tx(sandbox, http) == "100"


def test_redirect(sandbox: Sandbox, http: httpx.Client) -> None:
    """302, without having taken anything unless told so."""
    sandbox.control.rule("redirect", args={"location": "/other"}, count=1)
    sandbox.control.rule("redirect", args={"taken": True}, count=1)
    for taken in (0, 1):
        answer = http.get(sandbox.url("c123") + "/tx/", params=_fields())
        assert answer.status_code == 302
        assert len(list(sandbox.taken())) == taken
    assert answer.headers["location"] == "/elsewhere"


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ("deep_xml", b'<?xml version="1.0"?><a><a><a>'),
        ("entity_bomb", b'<?xml version="1.0"?><!DOCTYPE'),
        ("external_entity", b'<?xml version="1.0"?><!DOCTYPE'),
        ("nuls", b"100\x00\x00"),
        ("many_fields", b'{"code":"00","f0":0'),
        ("deep_json", b'{"code":"00","data":[[['),
        ("long_number", b'{"code":99999'),
    ],
)
def test_hostile(sandbox: Sandbox, http: httpx.Client, kind: str, begins: bytes) -> None:
    """Bodies that hurt a careless parser, on reads too, which they drain all the same."""
    sandbox.control.report("jzyyun", ["13800138000"], id="1")
    sandbox.control.rule("take_then_hostile", args={"kind": kind}, count=1)
    assert user_api(sandbox, http, "getSmsReport").content.startswith(begins)
    assert b"13800138000" not in user_api(sandbox, http, "getSmsReport").content


def test_latency(sandbox: Sandbox) -> None:
    """The ledger is written at once, the answer comes later."""
    sandbox.control.rule("latency", args={"seconds": 0.3, "jitter": 0.01})
    with dial(sandbox) as line:
        line.sendall(raw_tx())
        eventually(lambda: list(sandbox.taken()))
        line.settimeout(0)
        with pytest.raises(BlockingIOError):
            line.recv(4096)
        line.settimeout(5)
        assert line.recv(4096).endswith(b"100")


def test_idle_connections_close(sandbox: Sandbox) -> None:
    """After an answer that did not say so."""
    sandbox.control.rule("close_idle")
    with dial(sandbox) as line:
        line.sendall(raw_tx())
        heard = hear(line)
    assert heard.endswith(b"100")
    assert b"close" not in heard.lower()


@pytest.mark.parametrize(("reset", "seen"), [(False, CLOSED), (True, RESET)])
def test_idle_connections_close_under_the_next_request(
    sandbox: Sandbox, seen: bytes, *, reset: bool
) -> None:
    """The next request on a kept connection meets its end, and takes nothing."""
    sandbox.control.rule("close_idle", args={"when": "next", "reset": reset}, count=1)
    with dial(sandbox) as line:
        line.sendall(raw_tx())
        assert line.recv(4096).endswith(b"100")
        line.sendall(raw_tx("13800138001"))
        assert hear(line) == seen
    first, second = sandbox.entries()
    assert (first.did, second.did, second.taken) == ("", "close_idle", ())


@pytest.mark.parametrize(
    ("code", "seen", "taken"),
    [
        ("20", b"112", ()),
        ("21", b"112", ("13800138000",)),
        ("22", b"112", ()),
        ("23", b"107", ()),
        ("30", CLOSED, ("13800138000", "19999990007")),
        ("31", RESET, ("13800138000", "19999990007")),
        ("32", b"502", ("13800138000", "19999990007")),
        ("33", b"504", ("13800138000", "19999990007")),
        ("36", b"not an answer", ("13800138000", "19999990007")),
        ("37", b"\r\n\r\n", ("13800138000", "19999990007")),
        ("38", b"Content-Le", ("13800138000", "19999990007")),
        ("39", "100".encode("utf-16"), ("13800138000", "19999990007")),
        ("40", CLOSED, ()),
        ("41", RESET, ()),
        ("42", b"502", ()),
    ],
)
def test_magic_numbers(sandbox: Sandbox, code: str, seen: bytes, taken: tuple[str, ...]) -> None:
    """One of these among the recipients is enough; nothing has to be told before."""
    magic = f"1999999{code}07"
    request = raw_tx(f"13800138000,{magic}").replace(b"Host", b"Connection: close\r\nHost", 1)
    heard = _seen(sandbox, request)
    assert seen in heard if seen else heard == CLOSED
    (entry,) = sandbox.entries()
    assert entry.taken == tuple(n.replace("19999990007", magic) for n in taken)


def test_a_gateway_that_nobody_reaches(sandbox: Sandbox, http: httpx.Client) -> None:
    """Paths that are no gateway's leave no ledger line; wrong paths of one do."""
    assert http.get(sandbox.base_url + "/nobody").status_code == 404
    assert http.get(sandbox.url("c123") + "/xx/").status_code == 404
    assert [(entry.call, entry.code) for entry in sandbox.entries()] == [("xx", "404")]


def test_a_client_that_leaves_was_taken_all_the_same(sandbox: Sandbox) -> None:
    with dial(sandbox) as line:
        line.sendall(raw_tx())
        line.shutdown(socket.SHUT_RDWR)
    eventually(lambda: len(list(sandbox.taken())) == 1)


def test_ihuyi_by_json_in_the_wrong_charset(sandbox: Sandbox, http: httpx.Client) -> None:
    """The whole text changes, not only ASCII."""
    sandbox.control.rule("take_then_wrong_charset", args={"charset": "gbk"}, count=1)
    where = sandbox.url("ihuyi") + "/webservice/sms.php?" + urlencode({"method": "GetNum"})
    assert "帐号不能为空" in http.get(where).content.decode("gbk")
    assert submit(sandbox, http)["code"] == 2
