"""What spoke to a gateway's own interface keeps working, now queued."""

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.support.stage import eventually
from tests.web.conftest import Served
from worker.domain.enums import Outcome, Scope
from worker.domain.errors import ConfigurationError
from worker.gateways.adapters import fetion
from worker.gateways.base import Content, OutgoingSubmission
from worker.gateways.registry import doors_by_gateway, gateway_classes

ME, OTHERS = "13900000000", ["13911111111", "13922222222"]
SENT = {"info": "发送成功", "sendCode": "200"}
OPEN = pytest.mark.parametrize("web", [{"doors": ["fetion"]}])


def test_a_door_belongs_to_a_gateway_and_is_closed_unless_it_is_named(served: Served) -> None:
    assert doors_by_gateway().keys() <= gateway_classes().keys()
    for door in doors_by_gateway().values():
        assert served.client().get(door.path).status_code == 404
    with pytest.raises(ConfigurationError, match="the doors are: fetion"):
        served.stage.configure("v1", web={"doors": ["fetoin"]})


@OPEN
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("to", [None, ",".join(OTHERS)])
def test_what_document_000_says_is_understood_and_answered(
    served: Served, method: str, to: str | None
) -> None:
    """Its own Python example posts a form; a browser's address works as well."""
    asked = {"from": ME, "pswd": served.key(ME, Scope.SEND), "msg": "【信使】测试"}
    form = urlencode(asked | ({"to": to} if to else {}))
    client = served.client("x")
    answer = (
        client.get(f"/fetion?{form}")
        if method == "GET"
        else client.post("/fetion", data=asked | ({"to": to} if to else {}))
    )
    assert (answer.status_code, answer.json()) == (200, SENT)
    assert b"\\u53d1\\u9001\\u6210\\u529f" in answer.content
    with served.stage.working():
        wanted = OTHERS if to else [ME]
        eventually(lambda: sorted(served.stage.taken()) == wanted)


@OPEN
@pytest.mark.parametrize(
    "wrong", [{"pswd": "123456"}, {"from": OTHERS[0]}, {"to": "12"}, {"msg": ""}, {"from": ""}]
)
def test_a_failure_is_no_200_and_stores_nothing(served: Served, wrong: dict[str, Any]) -> None:
    key = served.key(ME, Scope.SEND)
    asked = {"from": ME, "pswd": key, "msg": "【信使】测试"} | wrong
    answer = served.client("x").post("/fetion", data=asked)
    assert answer.json()["sendCode"] == -1
    assert key not in answer.text
    assert served.client(served.key(ME)).get("/v1/messages").json()["messages"] == []


@OPEN
def test_our_own_adapter_understands_our_door(served: Served) -> None:
    settings = fetion.FetionSettings.model_validate(
        {"gateway": "fetion", "base_url": served.url, "from": ME, "password": "x"}
    )
    made = fetion.Fetion(settings)
    answer = served.client("x").post(
        "/fetion", data={"from": ME, "pswd": served.key(ME), "msg": "x"}
    )
    read = made.read_results(
        httpx.Response(answer.status_code, content=answer.content),
        OutgoingSubmission((ME,), Content("x"), "0"),
    )
    assert read.default.outcome is Outcome.ACCEPTED
