"""Calls the control endpoint from Python, for tests."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit


class ControlClient:
    """A client of the control endpoint; raises `ValueError` with the words of a refusal."""

    def __init__(self, base_url: str) -> None:
        self._netloc = urlsplit(base_url).netloc

    def rule(self, what: str, **restrictions: Any) -> int:
        """Add a rule, and return its number; the fields of a rule stand in docs/sandbox.md."""
        return int(self.call("POST", "rules", what=what, **restrictions)["id"])

    def clear(self, rule: int | None = None) -> int:
        """Remove one rule, or all; returns how many."""
        path = "rules" if rule is None else f"rules?id={rule}"
        return int(self.call("DELETE", path)["removed"])

    def state(self) -> dict[str, Any]:
        """Return counts, what was taken, what waits, connections, rules and options."""
        return self.call("GET", "state")

    def account(self, gateway: str, account: str, password: str, **more: Any) -> None:
        """Open an account; `more` may hold `funds`, `postpaid`, `service_number`."""
        self.call("POST", "accounts", gateway=gateway, account=account, password=password, **more)

    def options(self, gateway: str, **options: Any) -> dict[str, Any]:
        """Change options of a gateway, and return all of them."""
        return self.call("POST", "options", gateway=gateway, **options)

    def push(self, gateway: str, kind: str, url: str, **more: Any) -> None:
        """Have `report`s or `inbound` messages pushed to a loopback URL; an empty one ends it."""
        self.call("POST", "push", gateway=gateway, kind=kind, url=url, **more)

    def reply(self, gateway: str, msisdn: str, text: str, **more: Any) -> None:
        """Let a handset text back; `more` may hold `account`, `extension`, `at`, `id`."""
        self.call("POST", "reply", gateway=gateway, msisdn=msisdn, text=text, **more)

    def report(self, gateway: str, msisdns: list[str], **more: Any) -> None:
        """Let reports arrive; `more`: `account`, `id`, `status`, `at`, `due`, `extension`."""
        self.call("POST", "report", gateway=gateway, msisdns=msisdns, **more)

    def forget(self) -> None:
        """Drop all rules, and the reports and messages that wait to be pulled."""
        self.call("POST", "forget")

    def call(self, method: str, path: str, /, **body: Any) -> dict[str, Any]:
        """Make any control call."""
        connection = http.client.HTTPConnection(self._netloc, timeout=10)
        try:
            connection.request(method, f"/_control/{path}", json.dumps(body) if body else None)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer["error"])
        return answer
