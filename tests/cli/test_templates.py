"""`xinshi template` and `signature`: what is registered, and how it is taken out of use."""

import pytest

from tests.cli.conftest import Place
from worker.store import events
from worker.store.db import database
from worker.store.templates import usable

BODY = "您的验证码是{code}，{minutes}分钟内有效"
ADD = ("template", "add", "login", "--class", "otp", "--text", BODY)
BIND = ("template", "bind", "login", "--account", "bulk")


@pytest.fixture
def login(place: Place) -> Place:
    """A place with the template `login`, which nobody sends."""
    place.done(*ADD)
    return place


def test_a_template_is_added_once_and_a_change_is_a_version(place: Place) -> None:
    limits = ("--limit", "code=4-6,digits", "--limit", "minutes=-2")
    first = place.data(*ADD, *limits)
    assert (first["template"], first["version"], first["class"]) == ("login", 1, "otp")
    assert first["values"] == ["code", "minutes"]
    assert first["limits"]["code"] == {
        "max_length": 6,
        "min_length": 4,
        "digits": True,
        "links": True,
        "forbidden": "",
    }
    assert place.data(*ADD, *limits) == {**first, "added": False}
    assert "already, as version 1" in place.done(*ADD, *limits)
    assert place.data(*ADD)["version"] == 2
    assert place.data("template", "list")[0]["version"] == 2
    assert BODY in place.done("template", "list")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("log in", "--text", "{code}"), "template: may have letters"),
        (("login", "--text", " "), "body: is empty"),
        (("login", "--text", "【云雀】{code}"), "body: holds 【 or 】"),
        (("login", "--text", "验证码${code}"), "body: holds “${code}”"),
        (("login", "--text", "验证码#code#"), "body: holds “#code#”"),
        (("login", "--text", "验证码{a b}"), "body: has a value called 'a b'"),
        (("login", "--text", "{code}", "--limit", "cod=-6"), "limits.cod: there is no such value"),
        (("login", "--text", "{code}", "--limit", "code=6"), "limits.code: '6' is no limit"),
        (("login", "--text", "{code}", "--limit", "code=6-4"), "limits.code: at least 6"),
    ],
)
def test_what_is_wrong_with_a_template_is_named(
    place: Place, words: tuple[str, ...], problem: str
) -> None:
    assert problem in place.fails("template", "add", *words, code=2)
    assert place.data("template", "list") == []


def test_a_text_is_read_from_standard_input(place: Place) -> None:
    added = place.data("template", "add", "login", "--text", "-", typed=f"{BODY}\n")
    assert added["body"] == BODY


def test_a_template_is_sent_once_it_is_bound(login: Place) -> None:
    assert "no account may send it now" in login.run("template", "show", "login").stderr
    signature = login.data("signature", "add", "【云雀商城】", "--account", "bulk")
    assert (signature["name"], signature["state"], signature["added"]) == (
        *("云雀商城", "approved", True),
    )
    bound = login.data(*BIND, "--signature", "云雀商城")
    assert (bound["plan"], bound["parameters"], bound["state"], bound["usable"]) == (
        *("text", "", "approved", True),
    )
    assert login.data("template", "list")[0]["usable_version"] == 1
    shown = login.done("template", "show", "login", "--value", "code=4711", "--value", "minutes=5")
    assert "【云雀商城】您的验证码是4711，5分钟内有效" in shown
    (preview,) = login.data("template", "show", "login", "--value", "code=" + "4" * 60)["previews"]
    assert preview["problems"] == [{"where": "variables.minutes", "what": "has no value"}]
    values = ("--value", "code=" + "4" * 60, "--value", "minutes=5")
    (preview,) = login.data("template", "show", "login", *values)["previews"]
    assert (preview["account"], preview["segments"]) == ("bulk", 2)
    assert login.data(*BIND, "--signature", str(signature["id"])) == {**bound, "added": False}
    assert login.data("signature", "show", str(signature["id"]))["bindings"][0]["id"] == bound["id"]


def test_the_vendors_names_and_order_are_kept(login: Place) -> None:
    plan = ("--plan", "object", "--vendor-id", "SMS_1", "--parameters", "minutes,验证码=code")
    bind = ("template", "bind", "login", "--account", "codes")
    bound = login.data(*bind, *plan)
    assert (bound["plan"], bound["parameters"]) == ("object", "minutes,验证码=code")
    assert login.data(*bind, "--plan", "positions", "--vendor-id", "2")["parameters"] == (
        "code,minutes"
    )
    assert "object minutes,验证码=code" in login.done("template", "show", "login")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--account", "nobody"), "account: there is no 'nobody'; the accounts are: bulk"),
        (("--account", "codes", "--vendor-id", "1"), "plan: is missing"),
        (("--account", "codes", "--plan", "object"), "vendor_id: is missing"),
        (("--account", "bulk", "--vendor-id", "1"), "vendor_id: has to be left out"),
        (
            ("--account", "bulk", "--parameters", "code,minutes"),
            "parameters: has to be left out",
        ),
        (
            *(("--account", "codes", "--plan", "positions", "--vendor-id", "1"),),
            "parameters: the value 'minutes' has no place",
        ),
        (("--account", "bulk", "--signature", "别人"), "signature: bulk has no such signature"),
        (("--account", "bulk", "--limit", "name=-5"), "limits.name: there is no such value"),
    ],
)
def test_what_is_wrong_with_a_binding_is_named(
    login: Place, words: tuple[str, ...], problem: str
) -> None:
    more = ("--parameters", "code") if "positions" in words else ()
    assert problem in login.fails("template", "bind", "login", *words, *more, code=2)
    assert login.data("template", "show", "login")["bindings"] == []


def test_what_is_not_there_is_named_with_what_is_near(login: Place) -> None:
    assert "did you mean login?" in login.fails("template", "show", "logn")
    assert "there are login" in login.fails("template", "bind", "zzz", "--account", "bulk")
    assert "has no version 7; its newest is 1" in login.fails(*BIND, "--version", "7")
    assert "there is no binding 7" in login.fails("template", "pause", "7")
    assert "there is no signature 7" in login.fails("signature", "resume", "7")
    assert "there is no signature 7" in login.fails("signature", "show", "7")
    assert "the accounts are" in login.fails("signature", "list", "--account", "no", code=2)


def test_a_binding_is_paused_and_resumed_with_who_and_why(login: Place) -> None:
    binding_id = str(login.data(*BIND, "--draft")["id"])
    assert f"binding {binding_id}" not in login.done("template", "show", "login")
    assert login.data("template", "list")[0]["usable_version"] is None
    assert login.data("template", "resume", binding_id)["changed"]
    paused = login.data("template", "pause", binding_id, "--why", "a complaint")
    assert (paused["state"], paused["why"], paused["changed"]) == ("paused", "a complaint", True)
    assert not login.data("template", "pause", binding_id, "--why", "again")["changed"]
    assert "paused: a complaint" in login.done("template", "show", "login")
    assert login.data("template", "pause", binding_id, "--refused")["state"] == "refused"
    with database.reading(login.engine) as connection:
        names = [row["name"] for row in events.newest(connection, 9, {"name": "binding"})]
        assert usable.usable_keys(connection) == {}
    assert names == ["binding.refused", "binding.paused", "binding.resumed", "binding.added"]


def test_a_paused_signature_takes_its_bindings_out_of_use(login: Place) -> None:
    signature_id = str(login.data("signature", "add", "云雀", "--account", "bulk")["id"])
    login.done(*BIND, "--signature", "云雀")
    assert login.data("template", "list")[0]["usable_version"] == 1
    login.done("signature", "pause", signature_id, "--why", "registration ran out")
    assert login.data("template", "list")[0]["usable_version"] is None
    assert "【云雀】 (paused)" in login.done("template", "show", "login")
    assert "paused: registration ran out" in login.done("signature", "list")
    login.done("signature", "resume", signature_id)
    assert login.data("template", "list")[0]["usable_version"] == 1


def test_several_signatures_of_one_name_are_told_apart_by_id(login: Place) -> None:
    ids = [
        login.data("signature", "add", "云雀", "--account", "bulk", "--vendor-id", vendor_id)["id"]
        for vendor_id in ("8823", "8824")
    ]
    refusal = login.fails(*BIND, "--signature", "云雀", code=2)
    assert f"give one by its id: {ids[0]} (8823), {ids[1]} (8824)" in refusal
    assert login.data(*BIND, "--signature", str(ids[1]))["signature_id"] == ids[1]


def test_doubts_are_said_and_hold_nothing_up(login: Place) -> None:
    result = login.run(*BIND)
    assert result.exit_code == 0
    assert "warning: signature: none is named" in result.stderr


def test_what_an_account_cannot_carry_is_seen_before_it_is_sent(login: Place) -> None:
    login.done(*BIND)
    values = ("--value", "code=😀", "--value", "minutes=5")
    (preview,) = login.data("template", "show", "login", *values)["previews"]
    assert [problem["where"] for problem in preview["problems"]] == ["text"]
    assert "cannot say" in login.done("template", "show", "login", *values)
