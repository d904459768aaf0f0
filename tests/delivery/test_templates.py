"""One template over several accounts: each renders it for itself, and what one refuses goes on."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from tests.support import roster
from tests.support.by_hand import Hand, answer
from tests.support.stage import QUICK, Stage, eventually, mobiles, section
from worker.delivery import submit
from worker.domain.enums import MessageClass, Outcome, PlanKind, RegistrationState
from worker.domain.errors import Refused
from worker.domain.renderings import ParameterPlan, ValueLimits
from worker.intake import campaigns, lookup
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.recipient_rows import Row
from worker.sandbox import taken as taken_messages
from worker.settlement import ledger
from worker.store.db.database import reading, writing
from worker.store.schema.tables import event, submission
from worker.store.settlement import unknown
from worker.store.templates import bindings, signatures, versions
from worker.store.templates.bindings import BindingTerms

NOTICE = MessageClass.NOTICE
BODY = "{name}，您的验证码是{code}"
OBJECT = ParameterPlan(PlanKind.OBJECT, (("name", "name"), ("code", "code")))
TEXT = ParameterPlan(PlanKind.TEXT)


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with roster.installed():
        yield


@pytest.fixture
def registry(stage: Stage) -> "Registry":
    """A stage with a text account and two template accounts, and one template over all three."""
    template_account = {**QUICK, **roster.LOGIN, "base_url": stage.sandbox.url(roster.NAME)}
    more = {"templates_only": True, "reports": "none"}
    stage.configure(
        accounts={
            "one": {**template_account, **more, "priority": 2},
            "two": {**template_account, **more, "account": "other", "priority": 1},
            "text": section(stage.sandbox, "v1", priority=0, reports="none"),
        }
    )
    stage.prove()
    texts = {"SMS_1": BODY, "SMS_2": BODY}
    stage.sandbox.control.options(roster.NAME, templates=texts)
    return Registry(stage)


class Registry:
    """A template with a binding at each account."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.bindings: dict[str, int] = {}
        with writing(stage.engine) as connection:
            self.version, _ = versions.add(connection, "code", NOTICE, BODY, {}, "test")
        self.bind("one", OBJECT, "SMS_1", {"code": ValueLimits(max_length=6)})
        self.bind("two", OBJECT, "SMS_2", {"code": ValueLimits(max_length=8)})
        self.bind("text", TEXT)

    def bind(
        self,
        account: str,
        plan: ParameterPlan,
        vendor_id: str | None = None,
        limits: Mapping[str, ValueLimits] | None = None,
    ) -> None:
        """Bind the template to an account, with a signature of its own."""
        with writing(self.stage.engine) as connection:
            approved = RegistrationState.APPROVED
            signature, _ = signatures.add(
                connection, account, f"信{account}", None, approved, "test"
            )
            terms = BindingTerms(account, plan, vendor_id, signature.id, limits or {})
            stored, _ = bindings.add(connection, self.version.id, terms, approved, "test")
        self.bindings[account] = stored.id

    def state(self, account: str) -> RegistrationState:
        """Return the state of an account's binding."""
        with reading(self.stage.engine) as connection:
            stored = bindings.find(connection, self.bindings[account])
        assert stored is not None
        return stored.state

    def campaign(self, values: list[dict[str, str]]) -> int:
        """Load and start a campaign with these values."""
        rows = (
            Row(n, msisdn, row)
            for n, (msisdn, row) in enumerate(zip(mobiles(len(values)), values, strict=True), 1)
        )
        request = EnqueueRequest((), template="code", message_class=NOTICE)
        loaded = campaigns.create(
            self.stage.engine, self.stage.settings, "t", request, rows, start=True
        )
        assert loaded.bad_rows == []
        return loaded.id

    def done(self, campaign_id: int) -> dict[str, int]:
        """Return the states of a campaign's messages once it is done."""
        progress = campaigns.show(self.stage.engine, campaign_id)
        return {} if progress.open else dict(progress.states)


def texts_taken(stage: Stage) -> dict[str, str]:
    """Return the text that each number got."""
    assert stage.sandbox.ledger is not None
    return {message.msisdn: message.text for message in taken_messages(stage.sandbox.ledger)}


def accounts_of(stage: Stage, campaign_id: int) -> Counter[str]:
    """Count the messages of a campaign by the account that took them."""
    with reading(stage.engine) as connection:
        rows = connection.execute(
            select(submission.c.account, submission.c.size).where(
                submission.c.request_id == campaign_id, submission.c.state == "accepted"
            )
        )
        counts: Counter[str] = Counter()
        for account, size in rows:
            counts[account] += size
    return counts


def check_ledger(stage: Stage) -> None:
    """Compare the database with what the gateways really took."""
    with reading(stage.engine) as connection:
        _, findings = ledger.compare(connection, stage.settings, stage.sandbox.ledger)
    assert [finding for finding in findings if finding.broken] == []


def test_a_value_that_one_account_forbids_goes_by_another(registry: Registry) -> None:
    """Six characters fit everywhere, eight fit two accounts, ten only a whole text."""
    stage = registry.stage
    codes = ["123456", "12345678", "1234567890"]
    values = [{"name": f"客{n}", "code": codes[n % 3]} for n in range(30)]
    campaign_id = registry.campaign(values)
    with stage.working():
        eventually(lambda: registry.done(campaign_id) == {"submitted": 30})
    assert accounts_of(stage, campaign_id) == {"one": 10, "two": 10, "text": 10}
    signed = {"123456": "信one", "12345678": "信two", "1234567890": "信text"}
    assert texts_taken(stage) == {
        msisdn: f"【{signed[row['code']]}】{row['name']}，您的验证码是{row['code']}"
        for msisdn, row in zip(mobiles(30), values, strict=True)
    }
    assert stage.taken() == Counter(mobiles(30))
    check_ledger(stage)


def test_what_a_gateway_refuses_in_its_form_goes_by_another_rendering(registry: Registry) -> None:
    stage = registry.stage
    stage.sandbox.control.options(roster.NAME, forbidden="禁")
    values = [{"name": "禁" if n % 4 == 0 else "客", "code": "1234"} for n in range(20)]
    campaign_id = registry.campaign(values)
    with stage.working():
        eventually(lambda: registry.done(campaign_id) == {"submitted": 20})
    assert accounts_of(stage, campaign_id) == {"one": 15, "text": 5}
    assert stage.taken() == Counter(mobiles(20))
    check_ledger(stage)


def test_a_binding_at_fault_is_paused_and_the_rest_goes_elsewhere(registry: Registry) -> None:
    """Refused in the middle: nothing is lost or doubled, and the binding is asked no more."""
    stage = registry.stage
    first = registry.campaign([{"name": "客", "code": "1234"}] * 5)
    with stage.working():
        eventually(lambda: registry.done(first) == {"submitted": 5})
        stage.sandbox.control.options(roster.NAME, faulty=["SMS_1"])
        second = registry.campaign([{"name": "客", "code": "1234"}] * 5)
        eventually(lambda: registry.done(second) == {"submitted": 5})
    assert registry.state("one") is RegistrationState.PAUSED
    assert registry.state("two") is RegistrationState.APPROVED
    assert accounts_of(stage, second) == {"two": 5}
    refusals = [line for line in stage.lines(roster.NAME, only_taken=False) if line.code != "ok"]
    assert [line.code for line in refusals] == ["template"]
    with reading(stage.engine) as connection:
        names = connection.execute(select(event.c.name).where(event.c.name == "binding.paused"))
        assert len(names.all()) == 1
    check_ledger(stage)


def test_three_reports_that_call_it_unregistered_pause_a_binding(registry: Registry) -> None:
    """A gateway that takes a text may learn later that its carrier does not know the signature."""
    stage = registry.stage
    accounts = {
        name: account.settings.model_dump(include={"gateway", "base_url", "account", "priority"})
        for name, account in stage.settings.accounts.items()
        if name == "one"
    }
    one = {**QUICK, **roster.LOGIN, **accounts["one"], "templates_only": True}
    stage.configure(accounts={"one": one})
    stage.sandbox.control.rule(
        "report_status", gateway=roster.NAME, args={"status": "unregistered"}
    )
    values = {"name": "客", "code": "1"}
    with stage.working():
        for number in mobiles(2):
            made = stage.enqueue([number], "", template="code", variables=values)
            eventually(lambda made=made: stage.states(made) == {"undelivered": 1})
        assert registry.state("one") is RegistrationState.APPROVED
        made = stage.enqueue(mobiles(1, 9), "", template="code", variables=values)
        eventually(lambda: registry.state("one") is RegistrationState.PAUSED)


def test_what_every_account_refuses_in_its_form_is_rejected(registry: Registry) -> None:
    stage = registry.stage
    with writing(stage.engine) as connection:
        paused = RegistrationState.PAUSED
        bindings.set_state(connection, registry.bindings["text"], paused, "test", "no text")
    stage.sandbox.control.options(roster.NAME, forbidden="禁")
    made = stage.enqueue(mobiles(1), "", template="code", variables={"name": "禁", "code": "1234"})
    with stage.working():
        eventually(lambda: stage.states(made) == {"rejected": 1})
    assert stage.message(made).code == "form"
    assert stage.taken() == Counter()


def test_a_message_waits_for_a_paused_binding_and_goes_when_it_is_resumed(
    registry: Registry,
) -> None:
    stage = registry.stage
    stage.sandbox.control.options(roster.NAME, faulty=["SMS_1"])
    made = stage.enqueue(
        mobiles(1), "", account="one", template="code", variables={"name": "客", "code": "1"}
    )
    with stage.working():
        eventually(lambda: registry.state("one") is RegistrationState.PAUSED)
        assert stage.states(made) == {"queued": 1}
        stage.sandbox.control.options(roster.NAME, faulty=[])
        with writing(stage.engine) as connection:
            approved = RegistrationState.APPROVED
            bindings.set_state(connection, registry.bindings["one"], approved, "test")
        eventually(lambda: stage.states(made) == {"submitted": 1})
    assert stage.taken() == Counter(mobiles(1))


def test_singles_of_a_template_are_sent_with_their_values(registry: Registry) -> None:
    stage = registry.stage
    made = stage.enqueue(mobiles(1), "", template="code", variables={"name": "客", "code": "77"})
    with stage.working():
        eventually(lambda: stage.states(made) == {"submitted": 1})
    assert texts_taken(stage) == {mobiles(1)[0]: "【信one】客，您的验证码是77"}
    assert lookup.shown_text(stage.engine, made.ids[0]) == "客，您的验证码是77"
    check_ledger(stage)


@pytest.mark.parametrize("own_values", [True, False])
def test_a_repeat_is_equal_to_the_first_call_byte_for_byte(
    registry: Registry, *, own_values: bool
) -> None:
    """What was sent is rendered again from its binding, also when that is paused since."""
    stage = registry.stage
    hand = Hand(stage.engine, stage.settings)
    values = [{"name": f"客{n}", "code": str(n)} for n in range(3)]
    if own_values:
        registry.campaign(values)
    else:
        stage.enqueue(mobiles(3), "", template="code", variables=values[0])
    (first,) = hand.take(NOTICE)
    hand.record(answer(first, Outcome.UNKNOWN))
    with writing(stage.engine) as connection:
        paused = RegistrationState.PAUSED
        bindings.set_state(connection, registry.bindings["one"], paused, "test")
        (lease,) = unknown.repeatable(connection, first.lease.account, limit=10)
        again = submit.prepare_repeat(connection, stage.settings, lease)
    assert again is not None
    at, gateway = datetime.now(UTC), first.account.gateway
    calls = [gateway.submit_request(one.outgoing, at).read() for one in (first, again)]
    assert calls[0] == calls[1]
    assert "客0".encode() in calls[0]


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"template": "unheard"}, "template"),
        ({"template": "code", "variables": {"name": "客"}}, "variables.code"),
        ({"template": "code", "text": "您好", "variables": {"name": "", "code": "1"}}, "text"),
        ({"template": "code", "message_class": MessageClass.OTP}, "message_class"),
    ],
)
def test_what_does_not_fit_the_template_is_refused_in_words(
    registry: Registry, more: dict[str, Any], where: str
) -> None:
    with pytest.raises(Refused) as refused:
        registry.stage.enqueue(mobiles(1), **{"text": "", **more})
    assert where in {problem.where for problem in refused.value.problems}
    assert "客" not in str(refused.value)


def test_a_repeated_call_is_the_same_one_after_a_new_version(registry: Registry) -> None:
    """The key of the template and the values make the request, not the version."""
    stage = registry.stage
    call: dict[str, Any] = {"template": "code", "variables": {"name": "客", "code": "1"}}
    first = stage.enqueue(mobiles(1), "", key="k", **call)
    with writing(stage.engine) as connection:
        registry.version, _ = versions.add(connection, "code", NOTICE, f"新{BODY}", {}, "test")
    registry.bind("text", TEXT)
    again = stage.enqueue(mobiles(1), "", key="k", **call)
    assert (again.request_id, again.repeated) == (first.request_id, True)
    fresh = stage.enqueue(mobiles(1), "", **call)
    assert lookup.shown_text(stage.engine, fresh.ids[0]) == "新客，您的验证码是1"
