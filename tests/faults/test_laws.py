"""Laws that no process has to die for: the guards of single writes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from tests.faults.conftest import Build
from tests.faults.test_matrix import mute
from tests.support.faults.house import (
    CODE,
    TEXT,
    House,
    died,
    mobiles,
)
from tests.support.stage import turn_into_codes
from worker.delivery import record, submit
from worker.delivery.account_choice import AccountSelector
from worker.delivery.claim import Claim
from worker.delivery.gather import SinglesGatherer
from worker.delivery.permits import database_permits
from worker.domain.enums import MessageClass, Outcome, SubmissionState
from worker.gateways.results import Result
from worker.intake import campaigns
from worker.runtime import maintenance
from worker.settlement import invariants
from worker.store import accounts
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.delivery import claims
from worker.store.delivery.call_outcomes import CallOutcome, Fates
from worker.store.delivery.claims import Lease
from worker.store.schema.tables import request, submission
from worker.store.settlement import unknown


@pytest.fixture
def house(build: Build) -> House:
    """A house whose leases outlast the test."""
    return build(top={"lease": "60s"})


def claimed(house: House, message_class: MessageClass) -> list[Lease]:
    """Put what is due in flight."""
    with writing(house.engine) as connection:
        selector = AccountSelector(
            house.settings,
            message_class,
            dict.fromkeys(house.settings.accounts, 4),
            accounts.held_names(connection),
            {},
            frozenset(),
            datetime.now(UTC),
            database_permits(house.settings, message_class),
        )
        claim = Claim(selector, "a test", SinglesGatherer(message_class))
        return claim.take(connection)


def called(house: House, message_class: MessageClass) -> Lease:
    """Put the one submission that is due in flight."""
    (lease,) = claimed(house, message_class)
    with writing(house.engine) as connection:
        (ready,) = submit.write_ahead(connection, house.settings, [lease])
    return ready.lease


def ended(house: House, lease: Lease, state: SubmissionState, outcome: Outcome) -> None:
    """Record how a call ended, in time or late."""
    with writing(house.engine) as connection:
        call = CallOutcome(lease, Fates(state, Result(outcome, "a code")))
        record.record(connection, [call], house.settings, "a test")


def run_out(house: House) -> None:
    """Let all leases run out, and sweep."""
    with writing(house.engine) as connection:
        over = submission.c.lease_until.is_not(None)
        connection.execute(update(submission).where(over).values(lease_until=later(-1)))
    maintenance.end_overdue_leases(house.engine, house.settings, "a test")


def test_i4_the_write_ahead_is_guarded(house: House) -> None:
    """Whoever holds an older fence, or comes when another has it, puts nothing in flight."""
    otp = MessageClass.OTP
    house.producer.enqueue(mobiles(1), CODE, message_class="otp")
    ended(house, called(house, otp), SubmissionState.NOT_SENT, Outcome.DEFERRED)
    with writing(house.engine) as connection:
        connection.execute(update(submission).values(next_at=later(-1)))
    with writing(house.engine) as connection:
        (waiting,) = claims.lock_due(connection, otp, 2)
    called(house, otp)
    with writing(house.engine) as connection:
        for stale in (waiting, replace(waiting, fence=waiting.fence + 1)):
            assert (
                claims.write_ahead(connection, stale, "any", 1, "", seconds=5, owner="late") is None
            )
    house.check()


@pytest.mark.parametrize("when", ["planned", "in flight", "deferred once"])
def test_a_late_no_makes_the_resend_stand_for_itself(house: House, when: str) -> None:
    """A code whose first submission was proven not taken is what its resend is, never nobody's."""
    otp = MessageClass.OTP
    house.producer.enqueue(mobiles(1), CODE, message_class="otp")
    first = called(house, otp)
    run_out(house)
    if when == "planned":
        ended(house, first, SubmissionState.NOT_SENT, Outcome.NOT_SENT)
        again = called(house, otp)
    else:
        again = called(house, otp)
        ended(house, first, SubmissionState.NOT_SENT, Outcome.NOT_SENT)
        if when == "deferred once":
            ended(house, again, SubmissionState.NOT_SENT, Outcome.DEFERRED)
            with writing(house.engine) as connection:
                connection.execute(update(submission).values(next_at=later(-1)))
            again = called(house, otp)
    ended(house, again, SubmissionState.REJECTED, Outcome.REJECTED)
    assert house.states() == {"rejected": 1}
    house.check()


def test_a_late_no_ends_a_code_whose_resend_came_too_late(house: House) -> None:
    """A resend that did not go any more carries nothing: the code is nobody's else."""
    house.producer.enqueue(mobiles(1), CODE, message_class="otp")
    first = called(house, MessageClass.OTP)
    run_out(house)
    with writing(house.engine) as connection:
        for one in (request, submission):
            connection.execute(update(one).values(not_after=later(-1)))
    again = claimed(house, MessageClass.OTP)
    with writing(house.engine) as connection:
        assert not submit.write_ahead(connection, house.settings, again)
    assert house.states() == {"unknown": 1}
    ended(house, first, SubmissionState.NOT_SENT, Outcome.NOT_SENT)
    maintenance.sweep(house.engine, house.settings, "a test")
    assert house.states() == {"expired": 1}
    house.check()


def test_cancelling_leaves_a_code_unknown_that_may_have_been_taken(house: House) -> None:
    """Its resend is cancelled; that its first submission never was sent would be untrue."""
    otp = MessageClass.OTP
    loaded = house.producer.enqueue_campaign("codes", mobiles(1), CODE, start=False)
    turn_into_codes(house.engine, loaded.id)
    campaigns.run(house.engine, loaded.id)
    first = called(house, otp)
    run_out(house)
    campaigns.cancel(house.engine, loaded.id)
    assert house.states() == {"unknown": 1}
    assert not claimed(house, otp)
    ended(house, first, SubmissionState.NOT_SENT, Outcome.NOT_SENT)
    assert house.states() == {"cancelled": 1}
    house.check()


def test_a_late_yes_withdraws_a_resend_that_did_not_go(house: House) -> None:
    """Once it is known to be taken, it is not sent once more."""
    house.producer.enqueue(mobiles(1), CODE, message_class="otp")
    first = called(house, MessageClass.OTP)
    run_out(house)
    ended(house, first, SubmissionState.ACCEPTED, Outcome.ACCEPTED)
    assert not claimed(house, MessageClass.OTP)
    assert house.states() == {"submitted": 1}


def test_what_was_not_taken_goes_though_its_campaign_was_done(house: House) -> None:
    """A campaign whose last doubts are settled goes on with what was not taken."""
    house.producer.enqueue_campaign("done", mobiles(5), TEXT)
    lease = called(house, MessageClass.MARKETING)
    run_out(house)
    maintenance.sweep(house.engine, house.settings, "a test")
    with writing(house.engine) as connection:
        assert unknown.end_as_not_taken(connection, lease.id, lease.fence)
    assert len(claimed(house, MessageClass.MARKETING)) == 1


def test_the_checker_says_what_is_nobody_s(build: Build) -> None:
    """A message that no submission carries and that has no end is named."""
    house = build(accounts=mute())
    house.producer.enqueue_campaign("nobody's", mobiles(20), TEXT)
    died(house.worker("marketing", points="call.before=kill"))
    with writing(house.engine) as connection:
        connection.execute(update(submission).values(state="not_sent", lease_until=None))
    with reading(house.engine) as connection:
        broken = [
            one for one in invariants.check_database(connection, house.settings) if one.broken
        ]
    assert [one.broken for one in broken if "carried by somebody" in one.law] == [20]
