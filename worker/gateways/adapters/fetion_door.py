"""Offers the interface of document 000 as a door: `/fetion?from=&pswd=&to=&msg=`, GET or POST.

`from` is the name of an API key, which is the sender's number as before, and `pswd` the key itself:
somebody who used that service changes the address and the password, and nothing else.
"""

import json
from collections.abc import Mapping, Sequence

import httpx

from worker.gateways.doors import Door, DoorRequest
from worker.gateways.formats.forms import parse_form

#: Document 000 (2) prints it without its backslashes; the text "200" means success.
SENT_ANSWER = {"info": "发送成功", "sendCode": "200"}
#: Document 000 says of a failure only that it differs; the library behind it answers this number.
FAILURE_CODE = -1
_FAILURE_INFO = "发送失败！"


class FetionDoor(Door):
    """The door of document 000 (1): without `to` to oneself, several numbers with commas."""

    name = "fetion"
    path = "/fetion"

    def read(self, request: httpx.Request) -> DoorRequest | None:
        """Read the four parameters, from the query and the form alike."""
        fields = parse_form(request.url.query) | parse_form(request.content)
        key_name = fields.get("from", "").strip()
        numbers = [number.strip() for number in fields.get("to", "").split(",") if number.strip()]
        if not key_name or "pswd" not in fields:
            return None
        return DoorRequest(
            key_name, fields["pswd"], tuple(numbers) or (key_name,), fields.get("msg", "")
        )

    def acceptance(self, message_ids: Sequence[str]) -> httpx.Response:
        """Return the answer that it is sent, though here it is only queued."""
        return _answer(SENT_ANSWER)

    def refusal(self, reason: str) -> httpx.Response:
        """Return the answer that nothing is sent; status 200: callers compare `sendCode` alone."""
        return _answer({"info": f"{_FAILURE_INFO}{reason}", "sendCode": FAILURE_CODE})


def _answer(body: Mapping[str, str | int]) -> httpx.Response:
    return httpx.Response(
        200, headers={"Content-Type": "application/json"}, content=json.dumps(dict(body)).encode()
    )
