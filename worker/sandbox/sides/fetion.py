"""Plays the personal Fetion interface (document 000): one call, JSON back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.side import MOBILES, Side, all_match, split_numbers
from worker.sandbox.texts import decode, segment_count
from worker.sandbox.world import SandboxAccount


class FetionSide(Side):
    """The side of `/` with `from`, `pswd`, `to` and `msg`, by GET or POST (section 1)."""

    name = "fetion"
    defaults: ClassVar[Mapping[str, Any]] = {
        # The document prints the escapes of its answer without their backslashes.
        "sample_bodies": False,
    }
    refusal_codes: ClassVar[Mapping[str, str]] = {"refuse": "-1"}

    def accounts(self) -> Sequence[SandboxAccount]:
        """Return the account of the document's samples."""
        return [SandboxAccount(self.name, "13900000000", "fetion")]

    def read(self, request: SandboxRequest) -> GatewayCall:
        """Read a call; without `to` the message goes to its own sender (section 1)."""
        fields = request.fields()
        sender = fields.get("from", b"")
        return GatewayCall(
            "send" if request.path in {"", "/"} else request.path.strip("/"),
            sender.decode("latin-1"),
            request.method,
            request.at,
            fields,
            split_numbers(fields.get("to", b"") or sender),
            submits=True,
        )

    def answer(self, call: GatewayCall) -> SandboxAnswer:
        """Take the whole submission or nothing of it; there is one code for all recipients."""
        if call.name != "send" or call.method not in {"GET", "POST"}:
            return SandboxAnswer("404", b"not found", status=404)
        account = self.account(call)
        text = decode(call.fields.get("msg", b""), "utf-8")
        password = decode(call.fields.get("pswd", b""), "utf-8")
        if account is None or password != account.password or not text:
            return self.refuse(call, "-1")
        if not call.numbers or not all_match(MOBILES, call.numbers):
            return self.refuse(call, "-1")
        info = "u53d1u9001u6210u529f" if self.options["sample_bodies"] else "发送成功"
        submission = TakenSubmission(call.numbers, text, segment_count(text))
        return _json("200", {"info": info, "sendCode": "200"}, submission)

    def answer_for_others(self, call: GatewayCall, honest_answer: SandboxAnswer) -> SandboxAnswer:
        """Answer success: the library drops an unknown recipient in silence (gateways.md §0)."""
        return honest_answer

    def refuse(self, call: GatewayCall, code: str) -> SandboxAnswer:
        """Answer a failure; codes differ by cause (section 2); the library says -1, as a number."""
        return _json(code, {"info": "发送失败！", "sendCode": -1 if code == "-1" else code})


def _json(
    code: str, body: dict[str, Any], submission: TakenSubmission | None = None
) -> SandboxAnswer:
    content_type = "application/json; charset=utf-8"
    return SandboxAnswer(code, json.dumps(body).encode(), content_type, submission=submission)


SIDE = FetionSide
