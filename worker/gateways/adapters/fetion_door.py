"""The interface of document 000, spoken by us: `/fetion?from=&pswd=&to=&msg=`, GET or POST.

`from` is the name of an API key, the sender's number as ever, and `pswd` the key itself: who used
that service changes the address and the password, and nothing else.
"""

import json
from collections.abc import Mapping, Sequence

import httpx

from worker.gateways.doors import Door, DoorRequest
from worker.gateways.formats.forms import fields

#: Document 000 (2) prints it with its escapes eaten; a success is told by the text "200".
SENT = {"info": "发送成功", "sendCode": "200"}
#: Document 000 says of a failure only that it differs; the library behind it answers this number.
FAILED = -1
_FAILED = "发送失败！"


class FetionDoor(Door):
    """Document 000 (1): to oneself without `to`, several numbers with commas."""

    name = "fetion"
    path = "/fetion"

    def read(self, request: httpx.Request) -> DoorRequest | None:
        """Read the four parameters, from the query and the form alike."""
        said = fields(request.url.query) | fields(request.content)
        name = said.get("from", "").strip()
        to = [one.strip() for one in said.get("to", "").split(",") if one.strip()]
        if not name or "pswd" not in said:
            return None
        return DoorRequest(name, said["pswd"], tuple(to) or (name,), said.get("msg", ""))

    def accepted(self, ids: Sequence[str]) -> httpx.Response:
        """Say that it is sent, as far as that service ever knew: here it is queued."""
        return _answer(SENT)

    def refused(self, why: str) -> httpx.Response:
        """Say that nothing is sent; status 200, as callers compare `sendCode` alone."""
        return _answer({"info": f"{_FAILED}{why}", "sendCode": FAILED})


def _answer(said: Mapping[str, str | int]) -> httpx.Response:
    return httpx.Response(
        200, headers={"Content-Type": "application/json"}, content=json.dumps(dict(said)).encode()
    )
