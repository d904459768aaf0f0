"""Callbacks to this machine in other words: none of them is connected to."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from tests.support.stage import Stage, eventually, mobiles
from worker.domain import urls
from worker.domain.errors import Refused
from worker.store.db import database
from worker.store.schema.tables import callback_event

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])
SECRET = {"callback_secrets": ["a secret of the test's, long enough"]}
#: Ways to write this machine's address, or one that leads there; PORT is the listener's.
FORMS = (
    *("http://127.0.0.1:PORT/", "http://localhost:PORT/", "http://LOCALHOST.:PORT/"),
    *("http://2130706433:PORT/", "http://0x7f000001:PORT/", "http://0177.0.0.1:PORT/"),
    *("http://0x7f.0.0.1:PORT/", "http://127.1:PORT/", "http://127.0.1:PORT/", "http://0:PORT/"),
    *("http://0.0.0.0:PORT/", "http://127.255.255.254:PORT/", "http://①②⑦.⓪.⓪.①:PORT/"),
    *("http://[::1]:PORT/", "http://[::]:PORT/", "http://[0:0:0:0:0:0:0:1]:PORT/"),
    *("http://[::ffff:127.0.0.1]:PORT/", "http://[::ffff:7f00:1]:PORT/"),
    *("http://[64:ff9b::7f00:1]:PORT/", "http://[2002:7f00:1::]:PORT/", "http://[::1%25lo]:PORT/"),
    *("http://me@127.0.0.1:PORT/", "http://a.example@127.0.0.1:PORT/", "http://127.0.0.1:PORT#@a/"),
    *("http://a.example\\@127.0.0.1:PORT/", "http:\\\\127.0.0.1:PORT/", "//127.0.0.1:PORT/"),
    *("http:///127.0.0.1:PORT/", "http:127.0.0.1:PORT/", "http://127.0.0.1:PORT\r\n/"),
    *("ftp://127.0.0.1:PORT/", "file:///etc/passwd", "gopher://127.0.0.1:PORT/_POST", "dict://x"),
    *("https://127.0.0.1:PORT/", "HTTP://127.0.0.1:PORT/", "http://127.0.0.1:PORT/\x00"),
)


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A port on all addresses of this machine, and those that were connected to."""
    seen: list[str] = []
    dual = socket.has_dualstack_ipv6()
    family, host = (socket.AF_INET6, "::") if dual else (socket.AF_INET, "0.0.0.0")
    with socket.create_server((host, 0), family=family, dualstack_ipv6=dual) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    address = str(connection.getsockname()[0]).removeprefix("::ffff:")
                    seen.append(address)
                    connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1], seen
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def forms(port: int) -> list[str]:
    """Return the ways to write this machine's address, for both schemes."""
    secure = [form.replace("http:", "https:", 1) for form in FORMS if form.startswith("http:")]
    return [form.replace("PORT", str(port)) for form in (*FORMS, *secure)]


@pytest.mark.parametrize("networks", [[], ["10.0.0.0/8"]])
def test_this_machine_is_named_by_none_of_its_names(stage: Stage, networks: list[str]) -> None:
    stage.configure("v1", callback_networks=networks, **SECRET)
    for form in forms(8000):
        with pytest.raises(Refused):
            stage.enqueue(mobiles(1), callback_url=form)


def test_this_machine_is_reached_by_none_of_its_names(
    stage: Stage, listener: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the name was taken, as it was before, or leads here since."""
    port, seen = listener
    stage.configure("v1", **SECRET)
    with monkeypatch.context() as unchecked:
        unchecked.setattr(urls, "problem", lambda *_: None)
        for nth, form in enumerate(forms(port)):
            stage.enqueue(mobiles(1, first=nth), callback_url=form)
    with stage.working():
        eventually(lambda: _tried(stage) >= len(forms(port)))
    assert seen == []
    socket.create_connection(("127.0.0.1", port), 10).close()
    eventually(lambda: seen)


class _Leading(BaseHTTPRequestHandler):
    """Answers with a redirect to itself and a cookie, and keeps what it was asked."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, self.headers.get("cookie")))  # type: ignore[attr-defined]
        self.send_response(307)
        self.send_header("Location", "/elsewhere")
        self.send_header("Set-Cookie", "a=b; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_a_receiver_leads_nowhere_and_is_given_no_cookie_back(stage: Stage) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Leading)
    asked: list[tuple[str, str | None]] = []
    server.asked = asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        stage.configure("v1", callback_networks=["127.0.0.0/8"], **SECRET)
        with stage.working():
            for nth in range(2):
                url = f"http://127.0.0.1:{server.server_port}/told"
                stage.enqueue(mobiles(1, first=nth), callback_url=url)
                eventually(lambda nth=nth: len(asked) > nth)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert set(asked) == {("/told", None)}


def test_a_name_that_changes_its_mind_leads_where_it_was_checked(
    stage: Stage, listener: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first address is one that may be reached, each second one is this machine's."""
    port, trapped = listener
    answers = itertools.cycle(["127.0.0.2", "127.0.0.1"])
    real = socket.getaddrinfo

    def resolve(host: Any, *words: Any, **more: Any) -> Any:
        named = host in {"rebind.example", b"rebind.example"}
        return real(next(answers) if named else host, *words, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    stage.configure("v1", callback_networks=["127.0.0.2/32"], **SECRET)
    for nth in range(8):
        url = f"http://rebind.example:{port}/{nth}"
        stage.enqueue(mobiles(1, first=nth), callback_url=url)
    with stage.working():
        eventually(lambda: _tried(stage) >= 8)
    assert trapped
    assert set(trapped) == {"127.0.0.2"}


def _tried(stage: Stage) -> int:
    """Return how many events were told, in vain."""
    tried = select(callback_event.c.id).where(callback_event.c.problem.is_not(None))
    with database.reading(stage.engine) as connection:
        return len(connection.execute(tried).all())
