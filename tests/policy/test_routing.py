"""Which account carries what: priority first, shares by weight, and why one cannot."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.by_hand import NOWHERE
from tests.support.stage import LOGINS
from worker.config import settings
from worker.domain import carriers
from worker.domain.enums import Carrier, MessageClass, NumberKind
from worker.gateways.base import Account, Content
from worker.policy import eligibility, routing
from worker.policy.account_health import LADDER, Health
from worker.policy.eligibility import AccountStatus, Exclusion, RoutingQuery


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


ABLE = accounts(bulk={"priority": 2}, v1={}, jzy={"weight": 0.5})
NAMES = [one.name for one in ABLE]
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
#: How accounts may stand.
STANDINGS = st.builds(
    AccountStatus,
    held=st.booleans(),
    probe_before_batches=st.booleans(),
    probe_before_singles=st.booleans(),
    health=st.sampled_from(LADDER).map(lambda share: Health(share, share)),
    free_slots=st.integers(-2, 8),
    slots=st.just(8),
)
STAGES = st.fixed_dictionaries(dict.fromkeys(NAMES, STANDINGS))
SOME_OR_NONE = st.sampled_from([None, *NAMES])


def asked(text: str = "好", **more: Any) -> RoutingQuery:
    """Ask for a notice to a mobile number."""
    return RoutingQuery(MessageClass.NOTICE, Content(text), {NumberKind.MOBILE}, NOON, **more)


def shares(**each: float) -> Callable[[str], AccountStatus]:
    """Let accounts stand idle, and healthy unless a share is given."""
    return lambda name: AccountStatus(
        health=Health(each.get(name, 1.0), each.get(name, 1.0)), free_slots=1
    )


def chances(able: list[Account], **each: float) -> dict[str, float]:
    """Return the chances above 0."""
    found = routing.explain(able, asked(), shares(**each))
    return {one.account.name: round(one.chance, 3) for one in found if one.chance}


def test_the_highest_priority_goes_first_and_weights_share_among_equals() -> None:
    able = accounts(
        bulk={"priority": 1, "weight": 3}, v1={"priority": 1, "weight": 1}, jzy={"weight": 100}
    )
    random = Random(7)
    options = routing.explain(able, asked(), shares())
    found = Counter(routing.pick(options, random.random).account.name for _ in range(4000))  # type: ignore[union-attr]
    assert set(found) == {"bulk", "v1"}
    assert 0.70 < found["bulk"] / 4000 < 0.80


def test_what_a_priority_loses_goes_to_the_next_in_steps() -> None:
    able = accounts(bulk={"priority": 1}, v1={})
    assert chances(able) == {"bulk": 1.0}
    assert chances(able, bulk=0.8) == {"bulk": 0.8, "v1": 0.2}
    assert chances(able, bulk=0.05) == {"bulk": 0.05, "v1": 0.95}
    assert chances(able, v1=0.05) == {"bulk": 1.0}


def test_a_healthy_equal_takes_what_its_neighbour_loses() -> None:
    able = accounts(bulk={"priority": 1}, v1={"priority": 1}, jzy={})
    assert chances(able, bulk=0.5) == {"bulk": 0.333, "v1": 0.667}


def test_accounts_that_all_fail_share_as_before() -> None:
    able = accounts(bulk={"weight": 3}, v1={"weight": 1})
    assert chances(able, bulk=0.2, v1=0.2) == {"bulk": 0.75, "v1": 0.25}
    assert chances(accounts(bulk={}), bulk=0.05) == {"bulk": 1.0}


def test_a_share_bounds_the_places_only_where_another_can_take_the_rest() -> None:
    able = accounts(bulk={}, v1={})
    half = {
        "bulk": AccountStatus(health=Health(0.5, 0.5), free_slots=5, slots=8),
        "v1": AccountStatus(),
    }
    places = {one.account.name: one.free_slots for one in routing.explain(able, asked(), half.get)}  # type: ignore[arg-type]
    assert places == {"bulk": 1, "v1": 1}
    alone = routing.explain(able, asked(named_account="bulk"), half.get)  # type: ignore[arg-type]
    assert [one.free_slots for one in alone] == [5, 0]


@pytest.mark.parametrize("share", [0.8, 0.5, 0.2, 0.05])
def test_what_flows_over_gets_its_share_of_the_places_over_time(share: float) -> None:
    """When the healthy one is full, a failing one takes no more than its part of what it could."""
    able = accounts(bulk={}, v1={})
    stands = {
        "bulk": AccountStatus(health=Health(share, share), free_slots=8, slots=8),
        "v1": AccountStatus(free_slots=0, slots=8),
    }
    began = 0
    for second in range(1000):
        moment = replace(asked(), at=NOON + timedelta(seconds=second / 10))
        (found, _) = routing.explain(able, moment, stands.__getitem__)
        assert (found.exclusion is Exclusion.FULL) == (found.free_slots == 0)
        began += found.free_slots
    assert began / 1000 == pytest.approx(8 * share, rel=0.05)


@given(stage=STAGES, single=st.booleans(), named=SOME_OR_NONE, rather_not=SOME_OR_NONE)
def test_chances_sum_up_to_1_and_nothing_goes_to_who_cannot_take_it(
    stage: dict[str, AccountStatus], *, single: bool, named: str | None, rather_not: str | None
) -> None:
    found = routing.explain(
        ABLE, asked(single=single, named_account=named, tried_account=rather_not), stage.__getitem__
    )
    free = [one for one in found if one.exclusion is None]
    assert sum(one.chance for one in found) == pytest.approx(1.0 if free else 0.0)
    for one in found:
        standing = stage[one.account.name]
        assert (one.chance > 0) <= (one.exclusion is None)
        if one.exclusion is None:
            assert one.free_slots > 0
            assert not standing.held
            assert not (standing.probe_before_singles if single else standing.probe_before_batches)
            assert named in {None, one.account.name}
    assert {Exclusion.TRIED} & {one.exclusion for one in found} <= {
        Exclusion.TRIED if rather_not else None
    }
    if not free:
        sure = [one for one in found if one.exclusion is Exclusion.FULL]
        assert all(stage[one.account.name].free_slots < 8 for one in sure)


@given(STAGES, st.floats(0, 1, exclude_max=True))
def test_whoever_is_picked_may_be_asked_and_somebody_is_while_there_is_one(
    stage: dict[str, AccountStatus], draw: float
) -> None:
    options = routing.explain(ABLE, asked(), stage.__getitem__)
    found = routing.pick(options, lambda: draw)
    if all(one.exclusion is not None for one in options):
        assert found is None
    else:
        assert found is not None
        assert found.exclusion is None
        assert found.chance > 0


@given(
    st.fixed_dictionaries(dict.fromkeys(NAMES, st.sampled_from(LADDER))),
    st.sampled_from(NAMES),
    st.sampled_from(LADDER),
)
def test_a_lower_share_never_raises_a_chance(
    each: dict[str, float], name: str, other: float
) -> None:
    def chance(share: float) -> float:
        found = routing.explain(ABLE, asked(), shares(**{**each, name: share}))
        return next(one.chance for one in found if one.account.name == name)

    low, high = sorted([each[name], other])
    assert chance(low) <= chance(high) + 1e-9


def test_a_carrier_at_which_an_account_does_badly_is_avoided_for_its_own_numbers() -> None:
    able = accounts(bulk={}, v1={})
    ill = Health(carrier_shares={Carrier.CHINA_UNICOM: 0.05, Carrier.CHINA_MOBILE: 1.0})
    stands = {
        "bulk": AccountStatus(health=ill, free_slots=8, slots=8),
        "v1": AccountStatus(free_slots=8, slots=8),
    }
    by_carrier = {
        carrier: next(
            one.chance
            for one in routing.explain(able, asked(carrier=carrier), stands.__getitem__)
            if one.account.name == "bulk"
        )
        for carrier in (None, Carrier.CHINA_MOBILE, Carrier.CHINA_UNICOM)
    }
    assert by_carrier[None] == by_carrier[Carrier.CHINA_MOBILE] == 0.5
    assert by_carrier[Carrier.CHINA_UNICOM] < 0.05


def test_why_is_kept_only_where_there_was_a_choice() -> None:
    able = accounts(bulk={"priority": 1}, v1={}, me={"from": "13900000000"})
    stands = {
        "bulk": AccountStatus(health=Health(0.5, 0.5), free_slots=8, slots=8),
        "v1": AccountStatus(held=True),
        "me": AccountStatus(),
    }
    kept = routing.trace(routing.explain(able, asked(), stands.__getitem__))
    assert kept == {"chances": {"bulk": 1.0}, "shares": {"bulk": 0.5}, "out": {"v1": "held"}}
    named = routing.explain(able, asked(named_account="bulk"), stands.__getitem__)
    assert routing.trace(named) is None


def test_marketing_waits_for_hours_and_nothing_else_does() -> None:
    able = accounts(bulk={"sending_hours": "08:00-11:00"}, v1={"sending_hours": "13:00-14:00"})
    marketing = replace(asked(), message_class=MessageClass.MARKETING)
    found = routing.explain(able, marketing, lambda _name: AccountStatus())
    assert [(one.exclusion, one.wait_seconds) for one in found] == [
        (Exclusion.HOURS, 20 * 3600),
        (Exclusion.HOURS, 3600),
    ]
    assert all(
        one.exclusion is None for one in routing.explain(able, asked(), lambda _: AccountStatus())
    )


def test_a_number_is_counted_for_whoever_gave_it_out() -> None:
    given_out = [one for each in carriers._PREFIXES.values() for one in each.split()]
    assert len(given_out) == len(set(given_out)), "each beginning once"
    known = {
        "13800138000": Carrier.CHINA_MOBILE,
        "138****8000": Carrier.CHINA_MOBILE,
        "13491234567": Carrier.CHINA_TELECOM,
        "19212345678": Carrier.CHINA_BROADNET,
        "17012345678": Carrier.VIRTUAL,
        "02185418874": None,
        "": None,
    }
    assert {one: carriers.carrier(one) for one in known} == known


def test_a_named_account_is_asked_alone_whatever_its_classes() -> None:
    all_of_them = accounts(bulk={"classes": ["marketing"]}, v1={}, me={"from": "13900000000"})
    notice = MessageClass.NOTICE
    names = [one.name for one in eligibility.candidates(all_of_them, notice, None)]
    assert names == ["v1"], "a person's phone carries nothing unless it is named"
    for name in ("bulk", "me"):
        assert [one.name for one in eligibility.candidates(all_of_them, notice, name)] == [name]


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
    found = eligibility.problems(account, Content(text), kinds, MessageClass.NOTICE)
    assert said in "; ".join(map(str, found))
    assert account.gateway.name in str(found[0])
    assert name not in str(found[0]).replace(account.gateway.name, "")


def test_what_fits_is_no_problem() -> None:
    (account,) = accounts(bulk={})
    both = {NumberKind.MOBILE, NumberKind.LANDLINE}
    assert (
        eligibility.problems(account, Content("【信使】镕囧堃 ABC"), both, MessageClass.NOTICE)
        == []
    )
