"""The server side of the personal Fetion interface (document 000): one call, JSON back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import Answer, Call, Request, Submission
from worker.sandbox.side import MOBILES, Side, all_match, numbers
from worker.sandbox.texts import decoded, segments
from worker.sandbox.world import Account


class Fetion(Side):
    """`/` with `from`, `pswd`, `to` and `msg`, by GET or POST (section 1)."""

    name = "fetion"
    defaults: ClassVar[Mapping[str, Any]] = {
        # The document prints the escapes of its answer without their backslashes.
        "sample_bodies": False,
    }
    words: ClassVar[Mapping[str, str]] = {"refuse": "-1"}

    def accounts(self) -> Sequence[Account]:
        """The number of the document's samples."""
        return [Account(self.name, "13900000000", "fetion")]

    def read(self, request: Request) -> Call:
        """Without `to` the message goes to its own sender (section 1)."""
        fields = request.fields()
        sender = fields.get("from", b"")
        return Call(
            "send" if request.path in {"", "/"} else request.path.strip("/"),
            sender.decode("latin-1"),
            request.method,
            request.at,
            fields,
            numbers(fields.get("to", b"") or sender),
            submits=True,
        )

    def answer(self, call: Call) -> Answer:
        """Take it all or nothing; there is one code for all recipients."""
        if call.name != "send" or call.method not in {"GET", "POST"}:
            return Answer("404", b"not found", status=404)
        account = self.account(call)
        text = decoded(call.fields.get("msg", b""), "utf-8")
        given = decoded(call.fields.get("pswd", b""), "utf-8")
        if account is None or given != account.password or not text:
            return self.refuse(call, "-1")
        if not call.numbers or not all_match(MOBILES, call.numbers):
            return self.refuse(call, "-1")
        info = "u53d1u9001u6210u529f" if self.options["sample_bodies"] else "发送成功"
        taken = Submission(call.numbers, text, segments(text))
        return _json("200", {"info": info, "sendCode": "200"}, taken)

    def took_others(self, call: Call, honest: Answer) -> Answer:
        """The library drops an unknown recipient without a word (gateways.md §0)."""
        return honest

    def refuse(self, call: Call, code: str) -> Answer:
        """Failures differ by cause (section 2); the library behind it says -1, as a number."""
        return _json(code, {"info": "发送失败！", "sendCode": -1 if code == "-1" else code})


def _json(code: str, body: dict[str, Any], taken: Submission | None = None) -> Answer:
    kind = "application/json; charset=utf-8"
    return Answer(code, json.dumps(body).encode(), kind, taken=taken)


SIDE = Fetion
