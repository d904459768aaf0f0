"""The attack is made, briefly; and a bound that is broken is seen to be."""

import json
import math
import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.attack import bounds
from tests.attack.customer import Customer, Sent
from tests.attack.kinds import catalogue, odd_rows, orphans
from tests.bench.ground import ROOT

#: Seconds of it, a third of them honest, with few sockets and small bodies.
BRIEFLY = ("--minutes=0.75", "--seed=7", "--sockets=200", "--scale=0.1", "--recipients=200")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_brief_attack_breaks_nothing(tmp_path: Path) -> None:
    """How long customers wait says nothing on a busy machine for seconds; all else has to hold."""
    report = tmp_path / "report.json"
    run = subprocess.run(
        [sys.executable, "-m", "tests.attack", *BRIEFLY, "--json", str(report)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in {0, 1}, run.stderr[-4000:]
    found = json.loads(report.read_text("utf-8"))
    assert found["met"].keys() == {kind.name for kind in catalogue.kinds([], 200)}
    assert all(sum(tally.values()) for tally in found["met"].values()), found["met"]
    broken = {name: came for name, came in found["broken"].items() if not name.startswith("p99")}
    assert not broken, run.stdout


def test_what_never_came_about_breaks_its_bound() -> None:
    told = Customer("key", told={"1": 0.1, "2": 0.2})
    good = [Sent((number,), at=10.0, accepted=0.01) for number in ("1", "2")]
    lost = [Sent(("3",), at=10.0)]
    before = bounds.waits(good, told, {"1": 10.1, "2": 10.2})
    after = bounds.waits([*good, *lost], told, {"1": 10.1, "2": 10.2})
    assert [bound.is_kept for bound in bounds.of_waits(before, before, 1.0)] == [True] * 3
    assert [bound.value for bound in bounds.of_waits(before, after, 3.0)] == [math.inf] * 3
    assert [bound.is_kept for bound in bounds.of_waits(before, after, 3.0)] == [False] * 3


def test_a_customer_is_owed_each_message_its_outcome_and_the_word_of_it() -> None:
    customer = Customer("key", sent=[Sent(("1",), 0.0, 0.1), Sent(("2",), 0.0)])
    customer.states = {"1": ("2026-11-27", "delivered")}
    owed = bounds.of_customers(customer, {"1": "delivered", "2": "unknown"})
    assert [bound.value for bound in owed] == [1, 1, 1]


def test_the_same_seed_is_the_same_attack() -> None:
    first, second = (
        [
            odd_rows.page(draw, odd_rows.opted_out(), inbound=True),
            odd_rows.soap_page(draw),
            odd_rows.answer(draw),
            orphans.unknown_rows(draw, 3),
        ]
        for draw in (random.Random(7), random.Random(7))
    )
    assert first == second


def test_each_page_of_odd_replies_has_a_number_that_opts_out() -> None:
    draw, numbers = random.Random(7), odd_rows.opted_out()
    pages = [json.loads(odd_rows.page(draw, numbers, inbound=True))["data"] for _ in range(50)]
    wanted = islice(odd_rows.opted_out(), 50)
    for rows, number in zip(pages, wanted, strict=True):
        good = {"mobile": number, "content": "TD", "times": "2026-11-27 10:00:00", "extNo": "1"}
        assert good in rows


def test_honest_calls_are_as_many_as_the_attack_s() -> None:
    attacks = catalogue.kinds([], 1000)
    assert len({kind.name for kind in attacks}) == len(attacks)
    assert catalogue.honest(attacks).rate == pytest.approx(sum(kind.rate for kind in attacks))
