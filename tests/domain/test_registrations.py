"""Templates, signatures and bindings: what may be registered, and when reports pause a binding."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import registrations, template_rules
from worker.domain.enums import MessageClass, RegistrationState
from worker.domain.renderings import ValueLimits

NOON = datetime(2026, 11, 28, 4, tzinfo=UTC)


def counted(seconds: list[float]) -> tuple[list[int], bool]:
    times: list[int] = []
    are_enough = False
    for second in seconds:
        at = NOON + timedelta(seconds=second)
        times, are_enough = registrations.count_unregistered(times, at)
        if are_enough:
            break
    return times, are_enough


@given(st.lists(st.integers(0, 3000), max_size=12))
def test_three_reports_within_ten_minutes_are_enough_in_their_own_order(seconds: list[int]) -> None:
    """As a model says that looks at every three reports of those that came in order."""
    ordered = sorted(seconds)
    near = [third - first <= 600 for first, third in zip(ordered, ordered[2:], strict=False)]
    assert counted([float(second) for second in ordered])[1] == any(near)


@given(st.lists(st.integers(-3000, 3000), min_size=1, max_size=12))
def test_reports_that_come_in_any_order_are_never_enough_when_they_lie_apart(
    seconds: list[int],
) -> None:
    times, are_enough = counted([float(second) for second in seconds])
    assert len(times) <= registrations.UNREGISTERED_REPORTS
    assert times == sorted(times)
    ordered = sorted(seconds)
    if all(third - first > 600 for first, third in zip(ordered, ordered[2:], strict=False)):
        assert not are_enough


def test_every_state_leads_to_every_other_one() -> None:
    for state in RegistrationState:
        assert set(registrations.sources(state)) == set(RegistrationState) - {state}


@pytest.mark.parametrize("key", ["login", "a", "Order.shipped-2_b", "7", "a" * 64])
def test_a_key_is_short_and_plain(key: str) -> None:
    assert template_rules.key_problems(key) == []


@pytest.mark.parametrize("key", ["", "a b", "a/b", "登录", "a" * 65, "a\n", "{a}"])
def test_any_other_key_is_refused(key: str) -> None:
    (problem,) = template_rules.key_problems(key)
    assert problem.where == "template"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "is empty"),
        (" 您好", "begins or ends with a blank"),
        ("【云雀】您好", "holds 【 or 】"),
        ("您好【云雀】", "holds 【 or 】"),
        ("您的{{code}}", "names no value"),
        ("您的{code", "a brace that names no value"),
        ("您的#code#", "names no value"),
        ("您的{a,b}", "has a value called 'a,b'"),
        ("您的{a=b}", "has a value called 'a=b'"),
        ("您的{" + "a" * 33 + "}", "has a value called"),
        ("您的\u200b{code}", "zero width space"),
        ("好" * 1001, "has 1001 characters"),
        ("".join(f"{{v{number}}}" for number in range(33)), "has 33 values"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(body: str, words: str) -> None:
    findings = template_rules.check_body(body, {}, MessageClass.NOTICE)
    assert {problem.where for problem in findings.problems} == {"body"}
    assert any(words in problem.what for problem in findings.problems)


def test_a_good_body_has_no_problem_and_no_signature_to_warn_of() -> None:
    body = "{name}，您的验证码是{code}，{minutes}分钟内有效"
    limits = {"code": ValueLimits(6, 4, digits=True)}
    assert template_rules.check_body(body, limits, MessageClass.OTP) == ([], [])


def test_a_marketing_body_without_a_way_out_is_warned_of() -> None:
    findings = template_rules.check_body("{name}，新品上市", {}, MessageClass.MARKETING)
    assert findings.problems == []
    assert findings.warnings


@pytest.mark.parametrize("given_name", ["云雀商城", "【云雀商城】", " 【 云雀商城 】 "])
def test_a_signature_is_kept_without_its_brackets(given_name: str) -> None:
    name = template_rules.bare_name(given_name)
    assert name == "云雀商城"
    assert template_rules.signature_problems(name) == []


@pytest.mark.parametrize("name", ["", "云", "云" * 21, "云【雀", "云{雀}", "云\n雀", "云\u200b雀"])
def test_what_is_no_signature_is_refused(name: str) -> None:
    assert [problem.where for problem in template_rules.signature_problems(name)] == ["name"]


def test_a_vendors_id_is_shown_as_its_site_shows_it() -> None:
    for vendor_id in (None, "SMS_154950909", "449739", "8ff55eac9d0b478ab3c08f5a12345678"):
        assert template_rules.vendor_id_problems(vendor_id) == []
    for vendor_id in ("", "SMS 1", "模板", "a" * 65):
        assert [problem.where for problem in template_rules.vendor_id_problems(vendor_id)] == [
            "vendor_id"
        ]
