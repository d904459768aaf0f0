"""Campaigns over HTTP: loaded as JSON or as a file, then run, paused, cancelled, exported."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.lists import sheet, workbook
from tests.support.stage import eventually, mobiles
from tests.web.conftest import Served
from worker.domain.timezone import SHANGHAI

TEXT = "【信使】{name}，春装上新，回T退订"


def upload(client: httpx.Client, rows: list[tuple[str, str]], **fields: Any) -> httpx.Response:
    text = io.StringIO()
    csv.writer(text).writerows([("手机号", "name"), *rows])
    file = ("people.csv", text.getvalue().encode("gbk"), "text/csv")
    data = {"name": "spring", "text": TEXT, **fields}
    return client.post("/v1/campaigns", data=data, files={"recipients": file})


def test_a_file_is_loaded_wholly_and_runs(served: Served) -> None:
    client = served.client()
    people = [(number, f"第{nth}位") for nth, number in enumerate(mobiles(12))]
    with served.stage.working():
        loaded = upload(client, [*people, people[0]], account="v1")
        assert loaded.status_code == 201, loaded.text
        assert (loaded.json()["total"], loaded.json()["left_out"]["repeated"]) == (12, 1)
        path = f"/v1/campaigns/{loaded.json()['id']}"
        eventually(lambda: client.get(path).json()["states"] == {"delivered": 12})
    answer = client.get(f"{path}/export")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    exported = list(csv.DictReader(io.StringIO(answer.text)))
    assert sorted(row["to"] for row in exported[:12]) == mobiles(12)
    assert {row["state"] for row in exported[:12]} == {"delivered"}
    assert [(row["to"], row["state"]) for row in exported[12:]] == [(people[0][0], "left out")]
    found = client.get("/v1/messages", params={"campaign": loaded.json()["id"]}).json()
    assert len(found["messages"]) == 12


def test_a_bad_row_keeps_all_waiting_until_somebody_says_so(served: Served) -> None:
    client = served.client()
    answer = upload(client, [(mobiles(1)[0], "甲"), ("138", "乙"), (mobiles(2)[1], "")])
    assert answer.status_code == 201
    assert answer.json()["state"] == "ready"
    assert [one["row"] for one in answer.json()["bad_rows"]] == ["row 3", "row 4"]
    assert "138" not in answer.json()["bad_rows"][0]["what"].replace("13[", "")
    path = f"/v1/campaigns/{answer.json()['id']}"
    exported = list(csv.DictReader(io.StringIO(client.get(f"{path}/export").text)))
    assert [(row["to"], row["state"], row["row"]) for row in exported] == [
        (mobiles(1)[0], "queued", ""),
        ("138", "left out", "3"),
        (mobiles(2)[1], "left out", "4"),
    ]
    assert exported[2]["reason"] == "has no name, which the text names"
    assert client.post(f"{path}/start").json()["state"] == "running"
    assert client.post(f"{path}/start").status_code == 409
    assert client.post(f"{path}/pause").json()["state"] == "paused"
    assert client.post(f"{path}/resume", json={}).json()["state"] == "running"
    assert client.post(f"{path}/cancel").json()["states"] == {"cancelled": 1}


def test_a_list_as_json_is_the_same_campaign_however_often_it_is_sent(served: Served) -> None:
    client = served.client()
    body = {
        "name": "spring",
        "text": TEXT,
        "recipients": [{"to": one, "name": "甲"} for one in mobiles(3)],
        "start": False,
    }
    key = {"Idempotency-Key": "spring"}
    first = client.post("/v1/campaigns", json=body, headers=key)
    assert (first.status_code, first.json()["total"]) == (201, 3)
    assert client.post("/v1/campaigns", json=body, headers=key).json() == first.json()
    body["recipients"] = mobiles(3)
    body["text"] = "【信使】另一条"
    assert client.post("/v1/campaigns", json=body, headers=key).status_code == 409
    assert len(client.get("/v1/campaigns").json()["campaigns"]) == 1


def test_another_s_campaign_is_not_there(served: Served) -> None:
    one = served.client().post(
        "/v1/campaigns",
        json={"name": "x", "text": "【信使】你好", "recipients": mobiles(1), "start": False},
    )
    other = served.client(served.key("crm"))
    path = f"/v1/campaigns/{one.json()['id']}"
    for answer in (
        other.get(path),
        other.get(f"{path}/export"),
        other.get("/v1/messages", params={"campaign": one.json()["id"]}),
        *(other.post(f"{path}/{verb}") for verb in ("start", "resume", "pause", "cancel")),
    ):
        assert answer.status_code == 404
    assert other.get("/v1/campaigns").json()["campaigns"] == []


def test_what_is_wrong_with_an_upload_is_named(served: Served) -> None:
    client = served.client()
    file = {"recipients": ("x.csv", b"msisdn\n13800138000\n", "text/csv")}
    for data, fields in (
        ({"text": "x"}, {"name"}),
        ({"name": "x", "text": "{who}"}, {"recipients"}),
        ({"name": "x", "text": "x", "nmae": "y"}, {"nmae"}),
        ({"name": "x", "text": "x", "variables": "{}"}, {"variables"}),
        ({"name": "x", "text": "x", "not_before": "2026-11-24T08:00:00"}, {"not_before"}),
    ):
        answer = client.post("/v1/campaigns", data=data, files=file)
        assert answer.status_code == 422, answer.text
        assert {one["field"] for one in answer.json()["errors"]} == fields
    nothing = client.post("/v1/campaigns", data={"name": "x", "text": "x"})
    assert nothing.status_code == 415
    assert client.get("/v1/campaigns").json()["campaigns"] == []


def test_a_campaign_of_codes_is_refused_as_json_and_as_a_form(served: Served) -> None:
    """It would go past what is counted for a number and a client."""
    client = served.client()
    body = {"name": "x", "text": "【信使】4711", "class": "otp", "recipients": mobiles(1)}
    form = upload(client, [(mobiles(1)[0], "甲")], **{"class": "otp"})
    for answer in (client.post("/v1/campaigns", json=body), form):
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["field"] == "class"
        assert "for one person" in error["what"]
    assert client.get("/v1/campaigns").json()["campaigns"] == []


def test_an_upload_says_how_it_was_read_and_can_be_told(served: Served) -> None:
    client = served.client()
    rows = "Kunde~Nummer\nnan~13800138000\n".encode("utf-16")
    fields = {"name": "x", "text": "【信使】{Kunde}，你好", "start": "false"}
    options = {"column": "Nummer", "delimiter": "~", "header_row": "1", "encoding": "utf-16"}
    file = {"recipients": ("x.csv", rows, "text/csv")}
    loaded = client.post("/v1/campaigns", data={**fields, **options}, files=file)
    assert loaded.status_code == 201, loaded.text
    assert "missing value" in loaded.json()["bad_rows"][0]["what"]
    allowed = {"allow": "missing-values, line-breaks"}
    loaded = client.post("/v1/campaigns", data={**fields, **options, **allowed}, files=file)
    assert (loaded.json()["total"], loaded.json()["bad_rows"]) == (1, [])
    assert loaded.json()["file"] | {"skipped": []} == {
        "format": "csv",
        "encoding": "utf-16",
        "delimiter": "~",
        "sheet": None,
        "other_sheets": [],
        "header_row": 1,
        "columns": ["Kunde", "Nummer"],
        "column": "Nummer",
        "column_position": 2,
        "variables": {"Kunde": 1},
        "skipped_lines": 0,
        "skipped": [],
    }
    for wrong in ({"encoding": "klingon"}, {"allow": "all"}, {"header_row": "x"}):
        answer = client.post("/v1/campaigns", data={**fields, **wrong}, files=file)
        assert answer.status_code == 422, answer.text
        assert {one["field"].split("[")[0] for one in answer.json()["errors"]} == set(wrong)
    answer = client.post("/v1/campaigns", data={**fields, "delimiter": "ab"}, files=file)
    assert {one["field"] for one in answer.json()["errors"]} == {"delimiter"}


def test_a_workbook_is_uploaded_as_a_list_is(served: Served) -> None:
    raw = workbook(sheet([["手机号", "name"], [13800138000, "甲"]]))
    file = {"recipients": ("x.xlsx", raw, "application/octet-stream")}
    data = {"name": "x", "text": TEXT, "start": "false"}
    loaded = served.client().post("/v1/campaigns", data=data, files=file)
    assert (loaded.json()["total"], loaded.json()["file"]["format"]) == (1, "xlsx")


def test_rows_as_json_are_held_to_the_rules_of_files(served: Served) -> None:
    body = {
        "name": "x",
        "text": TEXT,
        "recipients": [{"to": "tel:138-0013-8000", "name": "nan"}],
        "start": False,
    }
    refused = served.client().post("/v1/campaigns", json=body).json()
    assert (refused["total"], refused["left_out"]["invalid"], refused["file"]) == (0, 1, None)
    body["allow"] = ["missing-values"]
    assert served.client().post("/v1/campaigns", json=body).json()["total"] == 1


SHUT = f"{datetime.now(SHANGHAI) + timedelta(hours=12):%H:00-%H:30}"


@pytest.mark.parametrize(
    "accounts", [{name: {"sending_hours": SHUT} for name in ("bulk", "codes", "v1", "jzy", "me")}]
)
def test_a_time_outside_of_all_sending_hours_is_refused_or_said(served: Served) -> None:
    client = served.client()
    now = datetime.now(SHANGHAI)
    end = {"not_after": (now + timedelta(hours=2)).isoformat()}
    both = {"not_before": (now + timedelta(hours=1)).isoformat(), **end}
    single = {"to": mobiles(1)[0], "text": "【信使】促 回T退订", "class": "marketing"}
    campaign = {"name": "x", "text": "【信使】促 回T退订", "recipients": mobiles(2)}
    for path, body in (("/v1/messages", single), ("/v1/campaigns", campaign)):
        refused = client.post(path, json=body | both)
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert error["field"] == "not_before"
        assert f"bulk {SHUT}" in error["what"]
        (warning,) = client.post(path, json=body | end).json()["warnings"]
        assert f"bulk {SHUT}" in warning["what"]
    rows = [(mobiles(1)[0], "甲")]
    assert upload(client, rows, **both).status_code == 422
    assert upload(client, rows, **end).json()["warnings"][0]["field"] == "not_after"


def test_a_dry_run_says_what_a_campaign_would_be_and_stores_nothing(served: Served) -> None:
    client = served.client()
    rows = [(mobiles(1)[0], "安" * 60), ("138", "乙"), (mobiles(2)[1], "丙"), (mobiles(1)[0], "丁")]
    preview = upload(client, rows, dry_run="true", skip_bad="true")
    assert preview.status_code == 200, preview.text
    said = preview.json()
    assert (said["total"], said["left_out"]) == (2, {"invalid": 1, "repeated": 1, "suppressed": 0})
    assert said["segments"] == {"1": 1, "2": 1}
    assert [row["row"] for row in said["bad_rows"]] == ["row 3"]
    assert said["file"]["encoding"] == "gb18030"
    assert {account["name"] for account in said["accounts"]} == set(served.stage.settings.accounts)
    assert client.get("/v1/campaigns").json()["campaigns"] == []
    created = upload(client, rows, skip_bad="true", start="false").json()
    for name in ("total", "left_out", "text", "segments", "samples", "bad_rows", "file"):
        assert said[name] == created[name]
    assert said["warnings"] == created["warnings"] == []
    body = {"name": "x", "text": TEXT, "recipients": [{"to": mobiles(1)[0], "name": "甲"}]}
    as_json = client.post("/v1/campaigns", json=body | {"dry_run": True})
    assert (as_json.status_code, as_json.json()["total"], as_json.json()["file"]) == (200, 1, None)
    assert upload(client, rows, dry_run="true", text="【信使】{who}").status_code == 422
    assert len(client.get("/v1/campaigns").json()["campaigns"]) == 1


def test_the_same_text_and_list_within_a_day_is_said_and_nobody_elses(served: Served) -> None:
    client = served.client()
    rows = [(mobiles(1)[0], "甲")]
    key = {"Idempotency-Key": "spring"}
    first = upload(client, rows).json()
    assert first["warnings"] == []
    for fields in ({"dry_run": "true"}, {}):
        (warning,) = upload(client, rows, **fields).json()["warnings"]
        assert warning["field"] == "recipients"
        assert warning["what"].startswith(f"campaign {first['id']} (spring), started 20")
    assert upload(served.client(served.key("crm")), rows).json()["warnings"] == []
    body = {"name": "x", "text": TEXT, "recipients": [{"to": mobiles(1)[0], "name": "甲"}]}
    (*_, oldest) = client.post("/v1/campaigns", json=body, headers=key).json()["warnings"]
    assert f"campaign {first['id']} " in oldest["what"]


def test_one_for_later_is_scheduled_says_so_and_is_moved(served: Served) -> None:
    client = served.client()
    at, later = "2030-01-01T02:00:00+00:00", "2030-01-02T02:00:00+00:00"
    text = "【信使】春装上新，回T退订"
    body = {"name": "x", "text": text, "recipients": mobiles(2), "not_before": at}
    campaign = client.post("/v1/campaigns", json=body).json()
    assert (campaign["state"], campaign["not_before"]) == ("scheduled", at)
    address = f"/v1/campaigns/{campaign['id']}"
    (reason,) = client.get(address).json()["waits_for"]
    assert (reason["kind"], reason["until"]) == ("not_before", at)
    moved = client.post(f"{address}/reschedule", json={"not_before": later})
    assert moved.status_code == 200
    assert moved.json()["not_before"] == later
    assert client.post(f"{address}/cancel").status_code == 200
    assert client.post(f"{address}/reschedule", json={"not_before": at}).status_code == 409
