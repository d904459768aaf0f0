"""Pushes: the gateway calls the customer, as often as it does, and only on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from tests.support.sandbox_customers import api, eventually, send, submit
from worker.sandbox import Sandbox


class Receiver(ThreadingHTTPServer):
    """Keeps what it was told, and answers with the next of `answers`, or the last of them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Listener)
        self.told: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: list[tuple[int, bytes]] = [(200, b"success")]
        self.url = f"http://127.0.0.1:{self.server_port}/push?token=abc"


class Listener(BaseHTTPRequestHandler):
    """Hands what it hears to the receiver."""

    server: Receiver

    def do_POST(self) -> None:
        """A push by form or JSON."""
        length = int(self.headers["Content-Length"])
        self._note(self.rfile.read(length).decode())

    def do_GET(self) -> None:
        """A push whose fields stand in the query."""
        self._note(self.path.partition("?token=abc&")[2])

    def _note(self, written: str) -> None:
        fields = json.loads(written) if written.startswith("{") else dict(parse_qsl(written))
        self.server.told.append((self.command, self.headers["Content-Type"], fields))
        answers = self.server.answers
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_apiv1_pushes_reports_once(
    sandbox: Sandbox, http: httpx.Client, receiver: Receiver
) -> None:
    """回调短信状态: four fields, DELIVRD, whatever the receiver answers, and no longer pulled."""
    receiver.answers = [(500, b"")]
    sandbox.control.push("apiv1", "report", receiver.url, form="json")
    send(sandbox, http, "13800138000", taskId="t1")
    eventually(lambda: sandbox.control.state()["pushes"] == {"tried": 1, "given_up": 1})
    fields = {"sendId": "t1", "status": "DELIVRD", "mobile": "13800138000"}
    times = {"times": "2023-11-15 06:13:20"}
    assert receiver.told == [("POST", "application/json", fields | times)]
    assert api(sandbox, http, "report")["data"] == []


def test_apiv1_pushes_replies(sandbox: Sandbox, http: httpx.Client, receiver: Receiver) -> None:
    """回调上行短信: `extNo` is a string; and what is pushed may be kept for pulling."""
    sandbox.control.push("apiv1", "inbound", receiver.url, keep_for_pull=True)
    sandbox.control.reply("apiv1", "13800138000", "端午节快乐", extension=10)
    eventually(lambda: receiver.told)
    fields = {"mobile": "13800138000", "content": "端午节快乐", "extNo": "10"}
    times = {"times": "2023-11-15 06:13:20"}
    assert receiver.told == [("POST", "application/x-www-form-urlencoded", fields | times)]
    assert len(api(sandbox, http, "mo")["data"]) == 1


def test_ihuyi_pushes_until_success(
    sandbox: Sandbox, http: httpx.Client, receiver: Receiver
) -> None:
    """Up to three times; the word `success` ends it, another 200 does not."""
    sandbox.control.options("ihuyi", push_pause=0.01)
    receiver.answers = [(200, b"ok"), (500, b"success"), (200, b"success\n")]
    sandbox.control.push("ihuyi", "report", receiver.url)
    smsid = submit(sandbox, http)["smsid"]
    eventually(lambda: sandbox.control.state()["pushes"].get("done"))
    (_, _, fields), second, third = receiver.told
    assert second == third == receiver.told[0]
    assert (fields["smsid"], fields["code"], fields["mobilephone"]) == (smsid, "2", "13800138000")
    assert fields["report_time"] == "2023-11-15 06:13:20"


def test_ihuyi_gives_up(sandbox: Sandbox, http: httpx.Client, receiver: Receiver) -> None:
    sandbox.control.options("ihuyi", push_pause=0.01)
    receiver.answers = [(200, b"error")]
    sandbox.control.push("ihuyi", "report", receiver.url, method="GET")
    submit(sandbox, http, mobile="19999990100")
    eventually(lambda: sandbox.control.state()["pushes"].get("given_up") == 1)
    assert [(method, fields["code"]) for method, _, fields in receiver.told] == [("GET", "0")] * 3


def test_ihuyi_pushes_replies(sandbox: Sandbox, http: httpx.Client, receiver: Receiver) -> None:
    sandbox.control.push("ihuyi", "inbound", receiver.url)
    smsid = submit(sandbox, http, mobile="19999991300")["smsid"]
    eventually(lambda: receiver.told)
    fields = {"smsid": smsid, "mobilephone": "19999991300", "content": "退订"}
    assert receiver.told[0][2] == fields | {"replyTime": "2023-11-15 06:13:20"}


def test_a_receiver_that_is_down(sandbox: Sandbox, http: httpx.Client, receiver: Receiver) -> None:
    """Pushes to nobody are given up; a later one arrives."""
    closed = "http://127.0.0.1:1/"
    sandbox.control.push("apiv1", "report", closed)
    send(sandbox, http, "13800138000")
    eventually(lambda: sandbox.control.state()["pushes"].get("given_up") == 1)
    sandbox.control.push("apiv1", "report", receiver.url)
    send(sandbox, http, "13800138001")
    eventually(lambda: receiver.told)
    sandbox.control.push("apiv1", "report", "")
    send(sandbox, http, "13800138002")
    assert [row["mobile"] for row in api(sandbox, http, "report")["data"]] == ["13800138002"]


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "https://127.0.0.1/", "http://sms.example/"])
def test_pushes_stay_on_this_machine(sandbox: Sandbox, url: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        sandbox.control.push("apiv1", "report", url)


def test_only_what_a_gateway_pushes(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="c123 pushes nothing"):
        sandbox.control.push("c123", "report", "http://127.0.0.1:1/")
