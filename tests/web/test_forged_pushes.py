"""Whoever holds one push token speaks for that account's messages and no others."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.support.stage import TEXT, eventually
from tests.web.conftest import Served
from worker.store.db import database
from worker.store.feedback.inbox import has_unread_pushes
from worker.store.schema.tables import submission

TOKEN = "a-token-of-the-gateway-s"
NUMBER = "13800138000"


@pytest.fixture
def accounts() -> dict[str, dict[str, Any]]:
    """Two gateways that push; the one that sends is not asked for reports."""
    return {
        "v1": {"push_tokens": [TOKEN], "reports": "push"},
        "codes": {"push_tokens": [f"{TOKEN}-2"], "per_msisdn": []},
    }


def test_a_push_moves_no_message_of_another_account(served: Served) -> None:
    """Not by that message's own id and number; told by its own gateway, it moves."""
    stage = served.stage
    sent = stage.enqueue(NUMBER, TEXT, account="v1")
    with stage.working():
        eventually(lambda: stage.states(sent) == {"submitted": 1})
        with database.reading(stage.engine) as connection:
            (gateway_id,) = connection.execute(select(submission.c.gateway_id)).scalars()
        forged: list[tuple[str, Any]] = [
            (f"/push/codes/{TOKEN}-2", {"smsid": gateway_id, "mobile": NUMBER, "code": "3"}),
            (f"/push/codes/{TOKEN}-2", {"sendId": gateway_id, "mobile": NUMBER, "status": "X"}),
        ]
        with httpx.Client(base_url=served.url, trust_env=False) as gateway:
            for path, fields in forged:
                assert gateway.post(path, data=fields).status_code == 200
                assert gateway.post(path, content=json.dumps([fields])).status_code == 200
            eventually(lambda: not _waiting(served))
            assert stage.states(sent) == {"submitted": 1}
            row = {"sendId": gateway_id, "mobile": NUMBER, "status": "UNDELIV"}
            assert gateway.post(f"/push/v1/{TOKEN}", json=[row]).status_code == 200
            eventually(lambda: stage.states(sent) == {"undelivered": 1})


def _waiting(served: Served) -> bool:
    with database.reading(served.stage.engine) as connection:
        return has_unread_pushes(connection, ["v1", "codes"])
