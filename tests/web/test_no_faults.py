"""No input makes the web process fail: every route, each of its places, values at their ends.

The routes are those of the application, so a new one is held to the law by itself.
"""

import json
import re
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.web.api.campaign_schemas import NewCampaign, Resumed
from producer.web.app import API_MODULES
from producer.web.pages import site
from producer.web.pages.sessions import COOKIE
from producer.web.pages.site import PAGE_MODULES
from tests.support.stage import TEXT, mobiles
from tests.web.conftest import Served
from worker.domain.enums import Scope

TIMES = [
    *("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999-23:59", "2999-12-31T23:59:59+00:00"),
    *("2026-02-30T00:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T08:00:00", "2026-11-24T08Z"),
]
NUMBERS = [0, -1, 2**31, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, float("inf"), float("nan")]
TEXTS = [
    *("", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\u202e", "💥", "x" * 300, "9" * 5000),
    *("1-1", "999999999999999999-999999999", "0-0", "-", "/", "..", "%", "{", "{a", "run"),
    *("13800138000", "v1", "otp", "true", "null", "\r\n", "=1+1", "'", '"', "<b>", "+"),
]
EDGES = [*TIMES, *NUMBERS, *TEXTS]
#: Values that only JSON can say.
JSON_EDGES = [None, True, [], {}, [None], {"a": None}, {"\0": "\0"}, {"a": "\ud800"}, [[]]]
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
ANY_EDGE = st.sampled_from(EDGES) | ANY_TEXT
#: What the acts of a campaign have as their name.
GOOD = {
    "act": "pause",
    "name": "v1",
    "account": "v1",
    "code": "zh",
    "why": "so",
    "to": mobiles(1)[0],
}


@dataclass(frozen=True)
class Place:
    """A place of a request that a caller fills in."""

    kind: str
    name: str


@dataclass(frozen=True)
class Operation:
    """A method of a route, with its places."""

    method: str
    path: str
    places: tuple[Place, ...]

    def __str__(self) -> str:
        """Name it as documents do."""
        return f"{self.method} {self.path}"


@cache
def operations() -> list[Operation]:
    """Return what the application serves, pages too, with what each call reads of its request."""
    routers = [module.router for module in (*API_MODULES, *PAGE_MODULES, site)]
    routes = [copy(route) for router in routers for route in router.routes]
    for route in routes:
        assert isinstance(route, APIRoute)
        route.include_in_schema = True
    document = get_openapi(title="all", version="1", routes=routes)
    schemas = document["components"]["schemas"] | {
        model.__name__: model.model_json_schema() for model in (NewCampaign, Resumed)
    }
    return [
        Operation(method.upper(), path, (*_places(described, schemas), Place("query", "part")))
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def _places(described: dict[str, Any], schemas: dict[str, Any]) -> Iterator[Place]:
    for parameter in described.get("parameters", []):
        yield Place(parameter["in"], parameter["name"])
    for media_type, body in described.get("requestBody", {}).get("content", {}).items():
        if media_type == "multipart/form-data":
            continue
        reference = re.search(r"#/components/schemas/(\w+)", str(body))
        assert reference
        for name in schemas[reference[1]]["properties"]:
            yield Place("json" if media_type == "application/json" else "form", name)


class Caller:
    """Who may do everything, by an API key and by a session."""

    def __init__(self, served: Served) -> None:
        self._http = served.client(served.key("li", *Scope))
        self._http.timeout = 60
        key = served.key("li", *Scope)
        signed_in = self._http.post("/sign-in", data={"key": key})
        assert signed_in.status_code == 303
        signer = served.server.config.app.state.signer  # type: ignore[union-attr]
        self._token = signer.token(self._http.cookies[COOKIE])
        stage = served.stage
        self._good = GOOD | {"message_id": stage.enqueue(GOOD["to"], TEXT, sender="li").ids[0]}
        sale = stage.producer.enqueue_campaign("S", mobiles(3), TEXT, sender="li", start=False)
        self._good["campaign_id"] = str(sale.id)

    def status(self, operation: Operation, values: dict[Place, Any]) -> int:
        """Call an operation with these values, and good ones in all other places of its path."""
        path = operation.path.replace(":path}", "}")
        query = []
        fields: dict[str, Any] = {}
        for place in operation.places:
            value = values.get(place, self._good.get(place.name, "1"))
            if place.kind == "path":
                path = path.replace("{" + place.name + "}", _quoted(value))
            elif place in values and place.kind == "query":
                query.append(f"{_quoted(place.name)}={_quoted(value)}")
            elif place in values and place.kind in {"form", "json"}:
                fields[place.name] = value
        url = path + ("?" + "&".join(query) if query else "")
        return self._call(operation, url, fields)

    def _call(self, operation: Operation, url: str, fields: dict[str, Any]) -> int:
        good: dict[str, Any] = {}
        if operation.path == "/v1/messages":
            good = {"to": "13800138000", "text": TEXT}
        elif operation.path == "/v1/campaigns":
            good = {"name": "S", "text": TEXT, "recipients": mobiles(2)}
        if operation.method != "POST":
            content, media_type = b"", None
        elif operation.path.startswith("/v1/"):
            content, media_type = json.dumps(good | fields).encode(), "application/json"
        else:
            form = {"token": self._token, "act": "resend", "why": "so"} | fields
            pairs = [f"{_quoted(name)}={_quoted(value)}" for name, value in form.items()]
            content, media_type = "&".join(pairs).encode(), "application/x-www-form-urlencoded"
        headers = {"content-type": media_type} if media_type else {}
        request = self._http.build_request(operation.method, url, content=content, headers=headers)
        return self._http.send(request).status_code


def _quoted(value: Any) -> str:
    return quote(str(value).encode("utf-8", "surrogatepass"), safe="")


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for others."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def caller(served: Served) -> Caller:
    """Who may do everything."""
    return Caller(served)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z"])
def test_a_time_at_an_end_of_the_calendar_is_refused(served: Served, moment: str) -> None:
    client = served.client()
    sale = served.stage.producer.enqueue_campaign("S", mobiles(1), TEXT, sender="shop", start=False)
    good = {"to": "13800138000", "text": TEXT}
    answers = [
        client.post("/v1/messages", json=good | {"not_before": moment}),
        client.post("/v1/messages", json=good | {"not_after": moment}),
        client.post(f"/v1/campaigns/{sale.id}/start", json={"until": moment}),
        client.get("/v1/messages", params={"since": moment}),
        client.get("/v1/messages", params={"until": moment}),
        client.get("/v1/inbound", params={"since": moment}),
    ]
    assert [answer.status_code for answer in answers] == [422] * 6
    assert "write a time from 1970 to 2999" in answers[0].text


@pytest.mark.parametrize("number", [0, 2**63, 10**20])
@pytest.mark.parametrize("page", ["campaigns/{}", "campaigns/{}/export", "replies/{}"])
def test_an_id_that_no_database_has_is_no_page(served: Served, page: str, number: int) -> None:
    client = served.client()
    client.post("/sign-in", data={"key": served.key("li", Scope.OPERATE)})
    assert client.get("/" + page.format(number)).status_code == 404


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"], indirect=True)
def test_no_value_in_any_place_is_a_fault(caller: Caller) -> None:
    faults = []
    for operation in operations():
        for place in operation.places:
            for value in EDGES + (JSON_EDGES if place.kind == "json" else []):
                status = caller.status(operation, {place: value})
                if status >= 500:
                    faults.append((str(operation), place.name, value, status))
    assert not faults


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")
@given(data=st.data())
def test_no_values_together_are_a_fault(caller: Caller, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(operations()))
    chosen = data.draw(st.sets(st.sampled_from(operation.places), min_size=1, max_size=4))
    values = {place: data.draw(ANY_EDGE) for place in sorted(chosen, key=str)}
    assert caller.status(operation, values) < 500
