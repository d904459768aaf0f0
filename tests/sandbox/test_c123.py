"""c123: each check has its own status number, and reading again has its rules."""

import hashlib

import httpx
import pytest

from tests.support.sandbox_customers import C123, Clock, dial, hear, tx
from worker.sandbox import Sandbox

MANY = ",".join(f"138{n:08d}" for n in range(2001))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "100"),
        ({"pwd": "wrong"}, "101"),
        ({"pwd": C123["pwd"].upper()}, "101"),
        ({"uid": "nobody"}, "101"),
        ({"content": "字" * 501}, "105"),
        ({"content": ""}, "103"),
        ({"mobile": MANY}, "106"),
        ({"mobile": MANY.rpartition(",")[0]}, "100"),
        ({"mobile": ""}, "108"),
        ({"mobile": "13800138000,1380013800"}, "112"),
        ({"mobile": "13800138000,"}, "112"),
        ({"mobile": "8613800138000"}, "112"),
        ({"mobile": "02185418874"}, "100"),
        ({"time": "2010-05-27 12:01"}, "100"),
        ({"time": "2010-05-27_12"}, "113"),
        ({"time": "", "mid": ""}, "100"),
        ({"mid": "00"}, "100"),
        ({"encode": "utf8"}, "100"),
    ],
)
def test_tx(sandbox: Sandbox, http: httpx.Client, fields: dict[str, str], code: str) -> None:
    """§四: what is wrong with a submission decides its code; only 100 takes anything."""
    mobile = fields.pop("mobile", "13800138000")
    assert tx(sandbox, http, mobile, **fields) == code
    entry = next(sandbox.entries())
    assert entry.code == code
    assert bool(entry.taken) == (code == "100")


def test_fifty_by_get(sandbox: Sandbox, http: httpx.Client) -> None:
    """§四: 50 numbers by GET; 2000 are for POST."""
    where = sandbox.url("c123") + "/tx/"
    numbers = MANY.split(",")
    for size, code in ((50, "100"), (51, "106")):
        fields = C123 | {"mobile": ",".join(numbers[:size]), "content": "test"}
        assert http.get(where, params=fields).text == code


def test_charset(sandbox: Sandbox) -> None:
    """§二: GBK unless `encode=utf8`; bytes of neither are refused with 104."""
    head = "POST /c123/tx/ HTTP/1.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
    form = f"uid=9999&pwd={C123['pwd']}&mobile=13800138000&content="
    for content, code in (
        ("%C4%E3", b"100"),  # 你 in GBK
        ("%E4%BD%A0%E5%A5%BD&encode=utf8", b"100"),
        ("%E4%BD%A0&encode=utf-8", b"104"),  # the value is utf8, so this is GBK and odd
        ("%C4%E3&encode=utf8", b"104"),
    ):
        with dial(sandbox) as line:
            line.sendall((head.format(len(form + content)) + form + content).encode())
            assert hear(line).endswith(b"\r\n\r\n" + code)
    assert [entry.text for entry in sandbox.entries() if entry.taken] == ["你", "你好"]


def test_extension_and_schedule_are_written_down(sandbox: Sandbox, http: httpx.Client) -> None:
    tx(sandbox, http, mid="05", time="2030-05-27 12:01")
    entry = next(sandbox.entries())
    assert (entry.extension, entry.schedule) == ("05", "2030-05-27 12:01")


def test_counters(sandbox: Sandbox, http: httpx.Client) -> None:
    """§六 and §七: both count segments for each number, or the second, if told so, messages."""
    sandbox.control.account("c123", "9999", "9999", funds=5)
    where = sandbox.url("c123") + "/mm/"
    assert tx(sandbox, http, "13800138000,13800138001", content="字" * 71) == "100"
    assert http.get(where, params=C123).text == "100||1"
    assert http.get(where, params=C123 | {"cmd": "send"}).text == "100||4"
    assert tx(sandbox, http, "13800138000,13800138001") == "102"
    sandbox.control.options("c123", sent_unit="messages")
    assert http.get(where, params=C123 | {"cmd": "send"}).text == "100||2"
    assert http.get(where, params=C123 | {"pwd": ""}).text == "101"


def test_replies_once_and_again_by_the_hour(sandbox: Sandbox, http: httpx.Client) -> None:
    """§五: without `time` each reply comes once; with `time` an hour's can be read again."""
    where = sandbox.url("c123") + "/rx/"
    sandbox.control.reply("c123", "13912341234", "T")
    hour = "2023-11-15_06"
    assert http.get(where, params=C123 | {"time": hour}).text.startswith("100{&}13912341234||T||")
    assert http.get(where, params=C123).text.startswith("100{&}")
    assert http.get(where, params=C123).text == ""
    assert http.get(where, params=C123 | {"time": hour}).text.startswith("100{&}")
    assert http.get(where, params=C123 | {"time": "2023-11-15_05"}).text == ""
    assert http.get(where, params=C123 | {"time": "2023-11-15 06"}).text == "103"


def test_an_hour_read_may_consume(sandbox: Sandbox, http: httpx.Client) -> None:
    """Whether it does is undocumented: a switch."""
    sandbox.control.options("c123", rx_time_consumes=True)
    sandbox.control.reply("c123", "13912341234", "T")
    where = sandbox.url("c123") + "/rx/"
    assert http.get(where, params=C123 | {"time": "2023-11-15_06"}).text
    assert http.get(where, params=C123).text == ""


def test_rx_spacing(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    """§五 asks for ten minutes; a switch makes the sandbox insist."""
    sandbox.control.options("c123", rx_spacing=600)
    where = sandbox.url("c123") + "/rx/"
    assert [http.get(where, params=C123).text for _ in range(2)] == ["", "107"]
    clock.now += 600
    assert http.get(where, params=C123).text == ""


def test_wrong_passwords_lock(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    """114: on command, the third wrong password locks the account for ten minutes."""
    sandbox.control.options("c123", lock_after=3)
    found = [tx(sandbox, http, pwd="wrong") for _ in range(3)]
    assert [*found, tx(sandbox, http)] == ["101", "101", "101", "114"]
    clock.now += 600
    assert tx(sandbox, http) == "100"


def test_password_is_hashed_without_salt() -> None:
    """The sample's hash is that of its own account name."""
    assert hashlib.md5(b"9999").hexdigest() == C123["pwd"]
