"""Plans and limits are read as they are shown; what is wrong with one is said, and not guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import limit_syntax, parameter_plans, placeholders
from worker.domain.enums import PlanKind
from worker.domain.errors import Refused
from worker.domain.renderings import ParameterPlan, ValueLimits

OUR_NAMES = st.text("abc验证码_1", min_size=1, max_size=4)
THEIR_NAMES = (
    st.text("abcXYZ验证码 .-_${}", min_size=1, max_size=6).filter(str.strip).map(str.strip)
)
WITH_NAMES = st.sampled_from([PlanKind.OBJECT, PlanKind.GROUPS])
BODIES = st.lists(OUR_NAMES, min_size=1, max_size=5, unique=True).map(
    lambda names: "".join(f"{{{name}}}" for name in names)
)
BODY = "您的验证码是{code}，{minutes}分钟内有效。{code}"


@st.composite
def plans(draw: st.DrawFn) -> tuple[ParameterPlan, str]:
    """Return a plan that fits a body, and the body."""
    body = draw(BODIES)
    names = draw(st.permutations(placeholders.ordered_names(body)))
    kind = draw(st.sampled_from(PlanKind))
    if kind is PlanKind.TEXT:
        return ParameterPlan(kind), body
    count = len(names)
    if kind is PlanKind.POSITIONS:
        theirs = [str(position) for position in range(1, count + 1)]
    else:
        theirs = draw(st.lists(THEIR_NAMES, min_size=count, max_size=count, unique=True))
    return ParameterPlan(kind, tuple(zip(theirs, names, strict=True))), body


@given(plans())
def test_a_plan_is_read_as_it_is_shown(case: tuple[ParameterPlan, str]) -> None:
    plan, body = case
    assert parameter_plans.parse(plan.kind, parameter_plans.show(plan), body) == plan
    assert parameter_plans.plan_problems(plan, body) == []


@given(st.sampled_from(PlanKind), st.text(max_size=30), BODIES)
def test_whatever_is_written_is_a_whole_plan_or_refused(
    kind: PlanKind, text: str, body: str
) -> None:
    try:
        plan = parameter_plans.parse(kind, text, body)
    except Refused:
        return
    if kind is not PlanKind.TEXT:
        assert {ours for _, ours in plan.names} == placeholders.names(body)
        values = dict.fromkeys(placeholders.names(body), "x")
        assert len(plan.parameters(values)) == len(plan.names)


@pytest.mark.parametrize(
    ("kind", "parameters", "names"),
    [
        (PlanKind.OBJECT, None, (("code", "code"), ("minutes", "minutes"))),
        (PlanKind.OBJECT, "验证码＝code，minutes", (("验证码", "code"), ("minutes", "minutes"))),
        (PlanKind.OBJECT, " minutes , a b = code ", (("minutes", "minutes"), ("a b", "code"))),
        (PlanKind.POSITIONS, "minutes,code", (("1", "minutes"), ("2", "code"))),
        (PlanKind.POSITIONS, "code,minutes,code", (("1", "code"), ("2", "minutes"), ("3", "code"))),
        (PlanKind.GROUPS, None, (("code", "code"), ("minutes", "minutes"))),
        (PlanKind.TEXT, " ", ()),
    ],
)
def test_names_stand_in_the_vendors_order(
    kind: PlanKind, parameters: str | None, names: tuple[tuple[str, str], ...]
) -> None:
    assert parameter_plans.parse(kind, parameters, BODY) == ParameterPlan(kind, names)


@pytest.mark.parametrize(
    ("kind", "parameters", "problem"),
    [
        (PlanKind.OBJECT, "code", "the value 'minutes' has no place"),
        (PlanKind.OBJECT, "code,minutes,name", "there is no value 'name'"),
        (PlanKind.OBJECT, "a=code,a=minutes", "'a' stands there twice"),
        (PlanKind.OBJECT, "code,code,minutes", "'code' stands there twice"),
        (PlanKind.OBJECT, "code,,minutes", "item 2 is none"),
        (PlanKind.OBJECT, "a=b=code,minutes", "item 1 is none"),
        (PlanKind.OBJECT, f"{'a' * 65}=code,minutes", "item 1 has a vendor's name of more than"),
        (PlanKind.POSITIONS, "1=code,minutes", "item 1 has a vendor's name"),
        (PlanKind.TEXT, "code,minutes", "has to be left out"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said(kind: PlanKind, parameters: str, problem: str) -> None:
    with pytest.raises(Refused) as caught:
        parameter_plans.parse(kind, parameters, BODY)
    assert problem in caught.value.problems[0].what


@given(
    st.builds(
        ValueLimits,
        max_length=st.none() | st.integers(10, limit_syntax.MAX_LENGTH),
        min_length=st.integers(0, 10),
        digits=st.booleans(),
        links=st.booleans(),
        forbidden=st.text(max_size=5).map(lambda text: "".join(dict.fromkeys(text))),
    ).filter(lambda limits: limits != ValueLimits())
)
def test_limits_are_read_as_they_are_shown(limits: ValueLimits) -> None:
    assert limit_syntax.parse("limits.code", limit_syntax.show(limits)) == limits


@pytest.mark.parametrize("text", ["", "6", "-", "6-4", "digit", "1001-", "-0", ",", "4-6;digits"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        limit_syntax.parse("limits.code", text)
    assert [problem.where for problem in caught.value.problems] == ["limits.code"]
