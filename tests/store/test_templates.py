"""The registry keeps what was added; it lets a version be sent by whoever may send it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from tests.support import registry
from tests.support.registry import WHO
from worker.domain.enums import MessageClass, PlanKind, RegistrationState
from worker.domain.renderings import ParameterPlan, ValueLimits
from worker.store import events
from worker.store.db.database import reading, writing
from worker.store.schema.tables import binding, template
from worker.store.templates import bindings, signatures, usable, versions
from worker.store.templates.bindings import BindingTerms

DIGITS = {"code": ValueLimits(6, 4, digits=True)}
NOON = datetime(2026, 11, 28, 4, tzinfo=UTC)
STATES = [state for state in RegistrationState if state is not RegistrationState.APPROVED]


def event_names(engine: Engine, noun: str) -> list[str]:
    with reading(engine) as connection:
        rows = events.newest(connection, 50, {"name": noun})
    return [row["name"] for row in reversed(rows)]


def test_each_other_text_class_or_limit_is_a_version_and_none_ever_changes(engine: Engine) -> None:
    contents: list[tuple[MessageClass, str, dict[str, ValueLimits]]] = [
        (MessageClass.OTP, "验证码{code}", {}),
        (MessageClass.OTP, "验证码：{code}", {}),
        (MessageClass.OTP, "验证码：{code}", DIGITS),
        (MessageClass.NOTICE, "验证码：{code}", DIGITS),
        (MessageClass.OTP, "验证码{code}", {}),
    ]
    with writing(engine) as connection:
        added = [versions.add(connection, "login", *content, WHO) for content in contents]
    assert [(version.version, is_new) for version, is_new in added] == [
        (number, True) for number in range(1, 6)
    ]
    with reading(engine) as connection:
        stored = versions.versions_of(connection, "login")
        assert stored == [version for version, _ in added]
        assert [(row.message_class, row.body, row.limits) for row in stored] == contents
        assert versions.newest(connection, "login") == stored[-1]
        assert versions.find(connection, "login", 2) == stored[1]
        assert versions.newest(connection, "Login") is None
    assert event_names(engine, "template") == ["template.added"] * 5


def test_the_same_again_adds_nothing(engine: Engine) -> None:
    with writing(engine) as connection:
        first, _ = versions.add(connection, "login", MessageClass.OTP, "{code}", DIGITS, WHO)
        noted = {"code": ValueLimits(6, 4, digits=True)}
        again, is_new = versions.add(connection, "login", MessageClass.OTP, "{code}", noted, "bob")
    assert (again, is_new) == (first, False)
    assert event_names(engine, "template") == ["template.added"]


def test_adds_at_the_same_moment_give_a_version_each(engine: Engine) -> None:
    def add(number: int) -> int:
        with writing(engine) as connection:
            return registry.add_version(connection, f"第{number}版{{code}}").version

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(add, range(6))) == [1, 2, 3, 4, 5, 6]


def test_equal_adds_at_the_same_moment_give_one_version(engine: Engine) -> None:
    def add(_: int) -> tuple[int, bool]:
        with writing(engine) as connection:
            version, is_new = versions.add(connection, "login", MessageClass.OTP, "{code}", {}, WHO)
            return version.version, is_new

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(add, range(6))) == [(1, False)] * 5 + [(1, True)]
    with reading(engine) as connection:
        assert len(connection.execute(select(template.c.id)).all()) == 1


def test_equal_bindings_at_the_same_moment_are_one(engine: Engine) -> None:
    with writing(engine) as connection:
        version = registry.add_version(connection)

    def bind(_: int) -> int:
        with writing(engine) as connection:
            return registry.bind(connection, version, vendor_id="SMS_1").id

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(bind, range(6)))) == 1
    with reading(engine) as connection:
        assert len(connection.execute(select(binding.c.id)).all()) == 1


def test_a_version_may_have_several_bindings_at_an_account(engine: Engine) -> None:
    plan = ParameterPlan(PlanKind.OBJECT, (("验证码", "code"),))
    with writing(engine) as connection:
        version = registry.add_version(connection)
        sign = registry.add_signature(connection)
        others = [
            BindingTerms("main", plan, "SMS_1"),
            BindingTerms("main", plan, "SMS_2"),
            BindingTerms("main", plan, "SMS_1", sign.id),
            BindingTerms("main", plan, "SMS_1", None, DIGITS),
            BindingTerms("bulk", plan, "SMS_1"),
        ]
        added = [
            bindings.add(connection, version.id, terms, registry.APPROVED, WHO)[0]
            for terms in others
        ]
    assert len({row.id for row in added}) == len(others)
    with reading(engine) as connection:
        stored = bindings.list_bindings(connection, [version.id])
    assert [row.terms for row in stored] == others


def test_a_binding_of_no_version_is_none(engine: Engine) -> None:
    terms = BindingTerms("main", registry.PLAN)
    with pytest.raises(LookupError), writing(engine) as connection:
        bindings.add(connection, 4711, terms, registry.APPROVED, WHO)
    with reading(engine) as connection:
        assert not connection.execute(select(binding.c.id)).all()


def test_a_signature_is_one_for_each_id_that_its_vendor_gives(engine: Engine) -> None:
    with writing(engine) as connection:
        first, is_new = signatures.add(connection, "main", "云雀", None, registry.APPROVED, WHO)
        again = signatures.add(connection, "main", "云雀", None, RegistrationState.DRAFT, "bob")
        other, _ = signatures.add(connection, "main", "云雀", "csms12", registry.APPROVED, WHO)
    assert is_new
    assert again == (first, False)
    assert (first.vendor_id, other.vendor_id) == (None, "csms12")
    with reading(engine) as connection:
        assert signatures.list_signatures(connection, "main", "云雀") == [first, other]
        assert signatures.list_signatures(connection, "bulk") == []


def test_what_is_usable_is_rendered_with_its_signature_and_both_limits(engine: Engine) -> None:
    plan = ParameterPlan(PlanKind.POSITIONS, (("1", "code"),))
    with writing(engine) as connection:
        version, _ = versions.add(connection, "login", MessageClass.OTP, "{code}", DIGITS, WHO)
        sign, _ = signatures.add(connection, "main", "云雀", "10655", registry.APPROVED, WHO)
        vendor_limits = {"code": ValueLimits(6)}
        terms = BindingTerms("main", plan, "1234", sign.id, vendor_limits)
        bindings.add(connection, version.id, terms, registry.APPROVED, WHO)
        registry.bind(connection, version, "bulk")
    with reading(engine) as connection:
        first, second = usable.usable(connection, "login", 1)
    assert (first.account, first.body, first.plan, first.vendor_id) == (
        *("main", "{code}", plan, "1234"),
    )
    assert (first.signature, first.signature_id) == ("云雀", "10655")
    assert first.limits == (DIGITS, vendor_limits)
    assert (second.account, second.vendor_id, second.signature, second.limits) == (
        *("bulk", None, None, (DIGITS,)),
    )
    assert first.text({"code": "4711"}) == "【云雀】4711"


@pytest.mark.parametrize("state", STATES)
def test_only_what_is_approved_with_its_signature_is_usable(
    engine: Engine, state: RegistrationState
) -> None:
    with writing(engine) as connection:
        version = registry.add_version(connection)
        unusable = registry.add_signature(connection, "云雀", state=state)
        registry.bind(connection, version, state=state)
        registry.bind(connection, version, signature=unusable)
        good = registry.bind(connection, version, signature=registry.add_signature(connection))
    with reading(engine) as connection:
        (rendering,) = usable.usable(connection, "login", 1)
        rows = bindings.list_bindings(connection, [version.id])
    assert rendering.binding_id == good.id
    assert [row.is_usable for row in rows] == [False, False, True]


def test_the_newest_version_that_some_account_may_send_is_sent(engine: Engine) -> None:
    with writing(engine) as connection:
        first, second, third = (
            registry.add_version(connection, f"第{number}版{{code}}") for number in (1, 2, 3)
        )
        registry.bind(connection, first)
        bound = [registry.bind(connection, second, account) for account in ("main", "bulk")]
        registry.bind(connection, third, state=RegistrationState.DRAFT)
        registry.bind(connection, registry.add_version(connection, key="other"))
    with reading(engine) as connection:
        registered = usable.newest_usable(connection, "login")
        assert registered is not None
        assert registered.template == second
        assert [row.binding_id for row in registered.renderings] == [row.id for row in bound]
        assert registered.problem is None
        assert usable.usable_versions(connection, "login") == [2, 1]
        assert usable.usable(connection, "login", 3) == []
        assert usable.newest_usable(connection, "logon") is None


def test_accounts_that_may_not_carry_it_bring_no_version_into_use(engine: Engine) -> None:
    with writing(engine) as connection:
        first, second = (registry.add_version(connection, f"{n}{{code}}") for n in (1, 2))
        registry.bind(connection, first)
        only = registry.bind(connection, second, "sandbox")
        for accounts, version in ((None, 2), (["main"], 1), (["main", "sandbox"], 2)):
            registered = usable.newest_usable(connection, "login", accounts)
            assert registered is not None
            assert (registered.template.version, len(registered.renderings)) == (version, 1)
            assert usable.usable_keys(connection, accounts) == {"login": version}
        assert usable.usable_versions(connection, "login", ["main"]) == [1]
        assert usable.usable(connection, "login", 2, ["main"]) == []
        assert usable.usable_keys(connection, []) == {}
        registered = usable.newest_usable(connection, "login", [])
    assert registered is not None
    assert registered.obstacles == (f"binding {only.id} is at sandbox, which may not carry it",)


def test_where_nothing_may_be_sent_it_is_told_why(engine: Engine) -> None:
    with writing(engine) as connection:
        version = registry.add_version(connection)
        registered = usable.newest_usable(connection, "login")
        assert registered is not None
        assert registered.problem == (
            "template login is registered, and no account may send it now: none is bound to it"
        )
        draft = registry.bind(connection, version, state=RegistrationState.DRAFT)
        sign = registry.add_signature(connection)
        signed = registry.bind(connection, version, "bulk", signature=sign)
        signatures.set_state(connection, sign.id, RegistrationState.PAUSED, WHO, "expired")
        registered = usable.newest_usable(connection, "login")
    assert registered is not None
    assert registered.template == version
    assert registered.obstacles == (
        f"binding {draft.id} at main is draft",
        f"binding {signed.id} at bulk is approved, and its signature 【云雀商城】 is paused",
    )
    assert registered.short_problem is not None
    assert "main" not in registered.short_problem


def test_a_state_is_kept_with_since_when_by_whom_and_why(engine: Engine) -> None:
    with writing(engine) as connection:
        version = registry.add_version(connection)
        bound = registry.bind(connection, version, state=RegistrationState.DRAFT)
        moves = [
            (RegistrationState.APPROVED, None, "binding.resumed"),
            (RegistrationState.PAUSED, "a complaint", "binding.paused"),
            (RegistrationState.REFUSED, "not allowed", "binding.refused"),
            (RegistrationState.APPROVED, None, "binding.resumed"),
        ]
        for state, why, _ in moves:
            assert bindings.set_state(connection, bound.id, state, "bob", why)
            assert not bindings.set_state(connection, bound.id, state, "carol", "again")
            stored = bindings.find(connection, bound.id)
            assert stored is not None
            assert (stored.state, stored.who, stored.why) == (state, "bob", why)
            assert stored.since >= bound.since
            assert stored.terms == bound.terms
        assert not bindings.set_state(connection, 4711, RegistrationState.PAUSED, "bob")
    assert event_names(engine, "binding") == ["binding.added", *(name for _, _, name in moves)]


def test_a_signature_is_paused_and_resumed_with_an_event_each(engine: Engine) -> None:
    with writing(engine) as connection:
        sign = registry.add_signature(connection)
        assert signatures.set_state(connection, sign.id, RegistrationState.PAUSED, WHO, "x" * 999)
        assert not signatures.set_state(connection, sign.id, RegistrationState.PAUSED, WHO, "y")
        paused = signatures.find(connection, sign.id)
        assert paused is not None
        assert (paused.state, paused.why) == (RegistrationState.PAUSED, "x" * 200)
        assert signatures.set_state(connection, sign.id, RegistrationState.APPROVED, WHO)
    assert event_names(engine, "signature") == [
        *("signature.added", "signature.paused", "signature.resumed"),
    ]


def test_a_gateways_refusal_pauses_a_binding_at_once_and_once(engine: Engine) -> None:
    with writing(engine) as connection:
        version = registry.add_version(connection)
        bound, draft = (
            registry.bind(connection, version, state=state)
            if state is registry.APPROVED
            else registry.bind(connection, version, "bulk", state=state)
            for state in (registry.APPROVED, RegistrationState.DRAFT)
        )
        assert bindings.pause_refused(connection, bound.id, "code 1001: no such template", "w1")
        assert not bindings.pause_refused(connection, bound.id, "code 1002", "w2")
        assert not bindings.pause_refused(connection, draft.id, "code 1001", "w1")
        stored = bindings.find(connection, bound.id)
        assert stored is not None
        assert (stored.state, stored.why) == (
            *(RegistrationState.PAUSED, "code 1001: no such template"),
        )
        assert usable.usable(connection, "login", 1) == []
    assert event_names(engine, "binding")[2:] == ["binding.paused"]


def test_the_third_report_within_ten_minutes_pauses_a_binding(engine: Engine) -> None:
    with writing(engine) as connection:
        bound = registry.bind(connection, registry.add_version(connection))
    minutes = [0, 8, 11, 17]
    paused = []
    for minute in minutes:
        with writing(engine) as connection:
            at = NOON + timedelta(minutes=minute)
            paused.append(bindings.note_unregistered(connection, bound.id, at))
    assert paused == [False, False, False, True]
    with writing(engine) as connection:
        stored = bindings.find(connection, bound.id)
        assert stored is not None
        assert (stored.state, stored.who) == (RegistrationState.PAUSED, bindings.REPORTS)
        assert not bindings.note_unregistered(connection, bound.id, NOON)
        bindings.set_state(connection, bound.id, registry.APPROVED, WHO)
        after = NOON + timedelta(minutes=18)
        assert not bindings.note_unregistered(connection, bound.id, after)
        assert not bindings.note_unregistered(connection, 4711, after)
    assert event_names(engine, "binding") == [
        *("binding.added", "binding.paused", "binding.resumed"),
    ]


def test_reports_at_the_same_moment_all_count(engine: Engine) -> None:
    with writing(engine) as connection:
        bound = registry.bind(connection, registry.add_version(connection))

    def note(second: int) -> bool:
        with writing(engine) as connection:
            at = NOON + timedelta(seconds=second)
            return bindings.note_unregistered(connection, bound.id, at)

    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(note, range(3))) == [False, False, True]
