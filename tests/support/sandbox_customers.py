"""How a customer calls each gateway, written from the documents; and a clock to turn."""

import base64
import hashlib
import socket
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import httpx

from worker.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

C123 = {"uid": "9999", "pwd": "fa246d0262c3925617b0c72bb20eeb1d"}
IHUYI = {"account": "cf_demo", "password": "0123456789abcdef0123456789abcdef"}
APIV1 = {"account": "demo", "pwd": hashlib.md5(b"demo").hexdigest()}
JZYYUN = {"username": "test", "password": base64.b64encode(b"test").decode()}
FETION = {"from": "13900000000", "pswd": "fetion"}

CODE = "您的验证码是：1234。请不要把验证码泄露给其他人。"


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:  # noqa: D102 - the class says it
        return self.now


def tx(sandbox: Sandbox, http: httpx.Client, mobile: str = "13800138000", **more: str) -> str:
    """Submit at c123 by POST, GBK, and return the status number."""
    fields = C123 | {"mobile": mobile, "content": CODE} | more
    body = urlencode(fields, encoding="utf-8" if "encode" in more else "gbk")
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return http.post(sandbox.url("c123") + "/tx/", content=body, headers=kind).text


def submit(sandbox: Sandbox, http: httpx.Client, **more: str) -> dict[str, Any]:
    """Submit at ihuyi by POST, JSON wanted."""
    fields = IHUYI | {"mobile": "13800138000", "content": CODE, "format": "json"} | more
    where = sandbox.url("ihuyi") + "/webservice/sms.php?method=Submit"
    found: dict[str, Any] = http.post(where, data=fields).json()
    return found


def api(sandbox: Sandbox, http: httpx.Client, call: str, **more: str) -> dict[str, Any]:
    """Make one of the four calls of apiv1."""
    where = f"{sandbox.url('apiv1')}/api/v1/{call}"
    found: dict[str, Any] = http.post(where, data=APIV1 | more).json()
    return found


def send(sandbox: Sandbox, http: httpx.Client, mobiles: str, **more: str) -> dict[str, Any]:
    """Submit at apiv1."""
    return api(sandbox, http, "send", mobiles=mobiles, content="【信使】通知", **more)


def user_api(sandbox: Sandbox, http: httpx.Client, method: str, **more: str) -> httpx.Response:
    """Make a call of jzyyun by form, GBK."""
    body = urlencode(JZYYUN | {"method": method} | more, encoding="gbk")
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    where = sandbox.url("jzyyun") + "/servlet/UserServiceAPI"
    return http.post(where, content=body, headers=kind)


def send_sms(sandbox: Sandbox, http: httpx.Client, mobile: str, **more: str) -> str:
    """Submit at jzyyun, and return the text of the answer."""
    fields = {"smstype": "1", "content": "短信测试"} | more
    return user_api(sandbox, http, "sendSMS", mobile=mobile, **fields).text


@contextmanager
def dial(sandbox: Sandbox) -> "Iterator[socket.socket]":
    """Open a raw connection."""
    parts = urlsplit(sandbox.base_url)
    assert parts.hostname is not None
    assert parts.port is not None
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as line:
        yield line


def raw_tx(mobile: str = "13800138000", method: str = "POST") -> bytes:
    """Write a submission to c123 as bytes."""
    fields = urlencode(C123 | {"mobile": mobile, "content": "test"})
    if method == "GET":
        return f"GET /c123/tx/?{fields} HTTP/1.1\r\nHost: sandbox\r\n\r\n".encode()
    head = f"POST /c123/tx/ HTTP/1.1\r\nHost: sandbox\r\nContent-Length: {len(fields)}\r\n\r\n"
    return (head + fields).encode()


def hear(line: socket.socket) -> bytes:
    """Read until the other side closes or resets."""
    heard = b""
    try:
        while data := line.recv(65536):
            heard += data
    except ConnectionResetError:
        return heard + b"<RST>"
    return heard


def eventually(true: Callable[[], object], within: float = 5.0) -> None:
    """Wait until something is so, and fail if it is not in time."""
    until = time.monotonic() + within
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.005)
