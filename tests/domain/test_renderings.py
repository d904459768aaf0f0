"""A rendering gives the same for the same values, and says which values it cannot take."""

from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.domain import placeholders
from worker.domain.enums import PlanKind
from worker.domain.renderings import ParameterPlan, Rendering, ValueLimits

NAMES = st.text("abcdefgh姓名", min_size=1, max_size=4)
VALUES = st.dictionaries(NAMES, st.text(max_size=20), min_size=1, max_size=5)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"), max_size=20)


def rendering(body: str, *limits: Mapping[str, ValueLimits], signature: str | None) -> Rendering:
    plan = ParameterPlan(PlanKind.TEXT)
    return Rendering(1, "main", body, plan, signature=signature, limits=tuple(limits))


@given(VALUES, WORDS, st.none() | st.text(min_size=1, max_size=8))
def test_the_text_is_the_signature_and_the_filled_body(
    values: Mapping[str, str], words: str, signature: str | None
) -> None:
    body = words + "".join(f"{{{name}}}" for name in values)
    sent = rendering(body, signature=signature)
    assert sent.problems(values) == []
    prefix = f"【{signature}】" if signature else ""
    assert sent.text(values) == prefix + placeholders.escape(words).replace("{{", "{") + "".join(
        values.values()
    )
    assert sent.text(values) == sent.text(dict(values))


@given(VALUES)
def test_parameters_come_by_the_vendors_names_in_the_vendors_order(
    values: Mapping[str, str],
) -> None:
    ours = sorted(values, reverse=True)
    names = tuple((f"p{position}", name) for position, name in enumerate(ours))
    plan = ParameterPlan(PlanKind.POSITIONS, names)
    assert ParameterPlan.from_json(plan.to_json()) == plan
    assert list(plan.parameters(values).items()) == [(his, values[name]) for his, name in names]


def test_a_value_that_is_missing_is_named() -> None:
    (problem,) = rendering("您的{code}", signature=None).problems({"name": "王"})
    assert problem.where == "variables.code"


@pytest.mark.parametrize(
    ("limits", "value", "allowed"),
    [
        (ValueLimits(max_length=6), "123456", True),
        (ValueLimits(max_length=6), "1234567", False),
        (ValueLimits(min_length=4), "123", False),
        (ValueLimits(digits=True), "12a4", False),
        (ValueLimits(digits=True), "１２３４", False),
        (ValueLimits(digits=True), "1234", True),
        (ValueLimits(links=False), "http://a.example/x", False),
        (ValueLimits(links=False), "见 abc.cn", False),
        (ValueLimits(links=False), "3.50 元", True),
        (ValueLimits(forbidden=",;"), "a,b", False),
        (ValueLimits(forbidden=",;"), "a，b", True),
    ],
)
def test_limits_say_what_a_value_may_be(limits: ValueLimits, value: str, *, allowed: bool) -> None:
    assert ValueLimits.from_json(limits.to_json()) == limits
    problems = rendering("{v}", {"v": limits}, signature=None).problems({"v": value})
    assert (problems == []) is allowed


@given(st.text(min_size=8, max_size=20))
def test_a_problem_never_holds_the_value(value: str) -> None:
    limits = ValueLimits(max_length=1, digits=True)
    (problem,) = rendering("{v}", {"v": limits}, signature=None).problems({"v": value})
    assume(not value.isdigit())
    assert value not in str(problem)
