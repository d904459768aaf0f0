"""The description of the API is whole, and the API is what it says."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from producer.web.api.webhook_schemas import InboundReceived, MessagesUpdated
from tests.feedback.test_callbacks import ALLOWED, application
from tests.support.stage import TEXT, eventually
from tests.web.conftest import Served
from worker.domain.enums import Scope
from worker.store.db import database
from worker.store.feedback import callbacks

#: A number's form, a text's characters, an order of times: rules that no schema can say.
BEYOND_SCHEMAS = "positive_data_acceptance"


def operations(served: Served) -> dict[str, dict[str, Any]]:
    described = served.client().get("/openapi.json").json()
    return {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_every_call_says_what_it_does_and_every_error_it_may_answer(served: Served) -> None:
    for name, operation in operations(served).items():
        assert operation["summary"], name
        assert operation["description"], name
        errors = {code for code in operation["responses"] if code >= "400"}
        public = name in {"GET /healthz", "GET /readyz"}
        assert errors >= ({"503"} if public else {"401", "403", "429", "503"}), name
        if "requestBody" in operation:
            assert errors >= {"400", "408", "413", "422"}, name
        for code in errors:
            assert list(operation["responses"][code]["content"]) == ["application/problem+json"]


def test_what_the_issue_asks_for_is_there(served: Served) -> None:
    wanted = {
        *("POST /v1/messages", "GET /v1/messages", "GET /v1/messages/{message_id}"),
        *("POST /v1/messages/{message_id}/cancel", "POST /v1/campaigns", "GET /v1/campaigns"),
        *(
            f"POST /v1/campaigns/{{campaign_id}}/{verb}"
            for verb in ("start", "pause", "resume", "cancel")
        ),
        *("GET /v1/campaigns/{campaign_id}", "GET /v1/campaigns/{campaign_id}/export"),
        *("GET /v1/inbound", "GET /v1/accounts", "GET /v1/balance", "GET /healthz", "GET /readyz"),
    }
    assert wanted <= operations(served).keys()


def test_nothing_refers_to_what_is_not_described(served: Served) -> None:
    described = served.client().get("/openapi.json").json()
    found: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            found.update([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
            for one in part.values():
                walk(one)
        elif isinstance(part, list):
            for one in part:
                walk(one)

    walk(described)
    there = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert found <= there


def test_a_number_is_called_to_or_from_and_nothing_else(served: Served) -> None:
    described = served.client().get("/openapi.json").json()
    schemas = described["components"]["schemas"].values()
    fields = {name for schema in schemas for name in schema.get("properties", ())}
    assert {"to", "from"} <= fields
    assert not fields & {"msisdn", "number", "sent_from"}


def test_a_call_s_name_reads_well_in_a_client(served: Served) -> None:
    names = [operation["operationId"] for operation in operations(served).values()]
    assert len(names) == len(set(names))
    assert {"sendMessage", "listMessages", "showMessage", "loadCampaign", "showCampaign"} <= {
        *names
    }
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name) for name in names)


def test_a_time_is_described_as_one(served: Served) -> None:
    schemas = served.client().get("/openapi.json").json()["components"]["schemas"]
    times = re.compile(r".*_at|at|since|until|not_before|not_after|timestamp")
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            if times.fullmatch(field):
                assert "date-time" in str(described), (name, field)


def test_every_tag_is_described_and_used(served: Served) -> None:
    described = [tag["name"] for tag in served.client().get("/openapi.json").json()["tags"]]
    used = {tag for operation in operations(served).values() for tag in operation["tags"]}
    assert used == set(described)


def test_what_a_callback_is_told_is_what_is_described(served: Served) -> None:
    stage = served.stage
    stage.configure("v1", **ALLOWED)
    with application() as app, stage.working():
        with database.writing(stage.engine) as connection:
            callbacks.add(connection, "", app.url, inbound=True)
        sent = stage.enqueue("13800138000", TEXT, key="one", metadata={"order": "1001"})
        eventually(lambda: stage.states(sent) == {"delivered": 1})
        stage.sandbox.control.reply("apiv1", "13800138000", "谢谢")
        eventually(lambda: len({event["type"] for event in app.taken.values()}) == 2)
    models = {"messages.updated": MessagesUpdated, "inbound.received": InboundReceived}
    described = served.client().get("/openapi.json").json()["webhooks"]
    assert described.keys() == models.keys()
    for event in app.taken.values():
        model = models[event["type"]].model_validate(event)
        assert model.model_dump(mode="json", by_alias=True) == event


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_api_is_what_it_says(served: Served, tmp_path: Path) -> None:
    """Random calls, good and bad: no fault, no status, header or body that is not described."""
    pytest.importorskip("schemathesis")
    run(served.url, served.key("all", *Scope), tmp_path, "--max-examples=5", "--seed=7")


def run(url: str, key: str, folder: Path, *more: str) -> None:
    """Run schemathesis against an API; it fails when schemathesis does."""
    phases = "--phases=examples,coverage,fuzzing"
    words = [f"--header=Authorization: Bearer {key}", phases, "--warnings=off", "--workers=2"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("run", f"{url}/openapi.json", *words, f"--exclude-checks={BEYOND_SCHEMAS}", *more),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
