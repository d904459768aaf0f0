"""Which account carries what: priority first, shares by weight, and why one cannot."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hand import NOWHERE
from tests.stage import LOGINS
from worker import routing, settings
from worker.gateway import Account, Content
from worker.terms import MessageClass, NumberKind


def accounts(**sections: dict[str, Any]) -> list[Account]:
    """Make accounts: each name is one of `LOGINS`, or that with a number behind."""
    raw = {
        name: {
            "base_url": NOWHERE,
            **LOGINS[name.rstrip("0123456789") if name not in LOGINS else name],
            **more,
        }
        for name, more in sections.items()
    }
    made = settings.parse({"accounts": raw}, Path("/"), {})
    return list(made.accounts.values())


def test_the_highest_priority_goes_first_and_weights_share_among_equals() -> None:
    able = accounts(
        bulk={"priority": 1, "weight": 3}, v1={"priority": 1, "weight": 1}, jzy={"weight": 100}
    )
    random = Random(7)
    found = Counter(routing.choose(able, random.random).name for _ in range(4000))  # type: ignore[union-attr]
    assert set(found) == {"bulk", "v1"}
    assert 0.70 < found["bulk"] / 4000 < 0.80


@given(st.floats(0, 1, exclude_max=True), st.sets(st.sampled_from(["bulk", "v1", "jzy"])))
def test_whoever_is_avoided_is_not_chosen_and_somebody_is_while_there_is_one(
    draw: float, avoided: set[str]
) -> None:
    able = ABLE
    found = routing.choose(able, lambda: draw, avoided)
    if len(avoided) == len(able):
        assert found is None
    else:
        assert found is not None
        assert found.name not in avoided


ABLE = accounts(bulk={"priority": 2}, v1={}, jzy={"weight": 0.5})


def test_a_named_account_is_asked_alone_whatever_its_classes() -> None:
    all_of_them = accounts(bulk={"classes": ["marketing"]}, v1={}, me={"from": "13900000000"})
    notice = MessageClass.NOTICE
    names = [one.name for one in routing.candidates(all_of_them, notice, None)]
    assert names == ["v1"], "a person's phone carries nothing unless it is named"
    for name in ("bulk", "me"):
        assert [one.name for one in routing.candidates(all_of_them, notice, name)] == [name]


@pytest.mark.parametrize(
    ("name", "text", "kinds", "said"),
    [
        ("bulk", "价格€5", {NumberKind.MOBILE}, "“€” (U+20AC)"),
        ("bulk", "好😀", {NumberKind.MOBILE}, "“😀” (U+1F600)"),
        ("codes", "好😀", {NumberKind.MOBILE}, "emoji"),
        ("codes", "长" * 301, {NumberKind.MOBILE}, "300 characters and this is 301"),
        ("v1", "好", {NumberKind.LANDLINE}, "landline"),
        ("v1", "好", {NumberKind.IOT}, "iot"),
    ],
)
def test_why_an_account_cannot_is_said(
    name: str, text: str, kinds: set[NumberKind], said: str
) -> None:
    (account,) = accounts(**{name: {}})
    found = routing.problems(account, Content(text), kinds)
    assert said in "; ".join(map(str, found))
    assert name in str(found[0])


def test_what_fits_is_no_problem() -> None:
    (account,) = accounts(bulk={})
    both = {NumberKind.MOBILE, NumberKind.LANDLINE}
    assert routing.problems(account, Content("【信使】镕囧堃 ABC"), both) == []
