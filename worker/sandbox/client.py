"""The control endpoint from Python: what a test calls."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit


class Control:
    """Calls a sandbox's control endpoint; raises `ValueError` with its words when it says no."""

    def __init__(self, base_url: str) -> None:
        self._where = urlsplit(base_url).netloc

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
        """Open an account: `funds`, `postpaid`, `service_number` if wanted."""
        self.call("POST", "accounts", gateway=gateway, account=account, password=password, **more)

    def options(self, gateway: str, **options: Any) -> dict[str, Any]:
        """Change switches of a gateway, and return all of them."""
        return self.call("POST", "options", gateway=gateway, **options)

    def push(self, gateway: str, kind: str, url: str, **more: Any) -> None:
        """Have `report`s or `inbound` messages pushed to a loopback URL; an empty one ends it."""
        self.call("POST", "push", gateway=gateway, kind=kind, url=url, **more)

    def reply(self, gateway: str, msisdn: str, text: str, **more: Any) -> None:
        """Let a handset text back: `account`, `extension`, `at`, `id` if wanted."""
        self.call("POST", "reply", gateway=gateway, msisdn=msisdn, text=text, **more)

    def report(self, gateway: str, msisdns: list[str], **more: Any) -> None:
        """Let reports arrive: `account`, `id`, `status`, `at`, `due`, `extension` if wanted."""
        self.call("POST", "report", gateway=gateway, msisdns=msisdns, **more)

    def forget(self) -> None:
        """Drop all rules and all that waits to be pulled."""
        self.call("POST", "forget")

    def call(self, method: str, path: str, /, **body: Any) -> dict[str, Any]:
        """Make any control call."""
        line = http.client.HTTPConnection(self._where, timeout=10)
        try:
            line.request(method, f"/_control/{path}", json.dumps(body) if body else None)
            reply = line.getresponse()
            found: dict[str, Any] = json.loads(reply.read())
        finally:
            line.close()
        if reply.status != 200:
            raise ValueError(found["error"])
        return found
