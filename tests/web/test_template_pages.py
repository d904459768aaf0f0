"""The pages of templates: what is registered is seen, and paused and resumed with a reason."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support import registry
from tests.web.conftest import Served
from tests.web.test_pages import token, visitor
from worker.domain.enums import RegistrationState, Scope
from worker.store.db import database
from worker.store.templates import bindings, signatures
from worker.store.templates.bindings import Binding
from worker.store.templates.signatures import Signature


@pytest.fixture
def signature(served: Served) -> Signature:
    """A signature of an account."""
    with database.writing(served.stage.engine) as connection:
        return registry.add_signature(connection, account="bulk")


@pytest.fixture
def binding(served: Served, signature: Signature) -> Binding:
    """A template, bound with the signature."""
    with database.writing(served.stage.engine) as connection:
        version = registry.add_version(connection, "您的验证码是{code}<b>")
        return registry.bind(connection, version, "bulk", signature=signature)


@pytest.fixture
def operator(served: Served) -> Iterator[httpx.Client]:
    """Somebody who may act."""
    with visitor(served, Scope.OPERATE) as client:
        yield client


def test_a_template_is_listed_and_shown_with_its_bindings(
    operator: httpx.Client, binding: Binding
) -> None:
    listed = operator.get("/templates").text
    assert 'href="/templates/login"' in listed
    assert "您的验证码是{code}&lt;b&gt;" in listed
    assert "【云雀商城】" in listed
    shown = operator.get("/templates/login").text
    assert "sent now" in shown
    assert f'action="/templates/bindings/{binding.id}/pause"' in shown
    chinese = operator.get("/templates/login", headers={"accept-language": "zh"}).text
    assert "正在使用" in chinese
    missing = operator.get("/templates/logn")
    assert missing.status_code == 404
    assert "did you mean login?" in missing.text


def test_a_binding_is_paused_with_a_reason_and_resumed(
    served: Served, operator: httpx.Client, binding: Binding
) -> None:
    data = {"token": token(operator.get("/templates/login").text), "why": "a <complaint>"}
    for act, state in (
        ("pause", RegistrationState.PAUSED),
        ("refuse", RegistrationState.REFUSED),
        ("resume", RegistrationState.APPROVED),
    ):
        answer = operator.post(f"/templates/bindings/{binding.id}/{act}", data=data)
        assert (answer.status_code, answer.headers["location"]) == (303, "/templates/login")
        with database.reading(served.stage.engine) as connection:
            stored = bindings.find(connection, binding.id)
        assert stored is not None
        assert (stored.state, stored.who, stored.why) == (state, "li", "a <complaint>")
    assert "a &lt;complaint&gt;" in operator.get("/templates/login").text
    assert operator.post(f"/templates/bindings/{binding.id}/burn", data=data).status_code == 404
    assert operator.post("/templates/bindings/4711/pause", data=data).status_code == 404


@pytest.mark.usefixtures("binding")
def test_a_paused_signature_is_seen_where_it_holds_a_template_up(
    served: Served, operator: httpx.Client, signature: Signature
) -> None:
    data = {"token": token(operator.get("/templates").text), "why": "ran out"}
    address = f"/templates/signatures/{signature.id}/pause"
    assert operator.post(address, data=data).headers["location"] == "/templates"
    assert "no account may send it now" in operator.get("/templates").text
    assert 'class="state paused">Paused' in operator.get("/templates/login").text
    with database.reading(served.stage.engine) as connection:
        stored = signatures.find(connection, signature.id)
    assert stored is not None
    assert (stored.state, stored.why) == (RegistrationState.PAUSED, "ran out")


def test_whoever_looks_is_offered_no_act_and_may_do_none(
    served: Served, operator: httpx.Client, binding: Binding
) -> None:
    with visitor(served, Scope.LOOK) as looking:
        for address in ("/templates", "/templates/login"):
            page = looking.get(address)
            assert page.status_code == 200
            assert 'action="/templates/' not in page.text
        data = {"token": token(operator.get("/templates/login").text)}
        address = f"/templates/bindings/{binding.id}/pause"
        assert looking.post(address, data=data).status_code == 403
        assert operator.post(address).status_code == 403
        foreign = {"origin": "https://evil.example"}
        assert operator.post(address, data=data, headers=foreign).status_code == 403
    with database.reading(served.stage.engine) as connection:
        stored = bindings.find(connection, binding.id)
    assert stored is not None
    assert stored.state is RegistrationState.APPROVED


def test_a_binding_at_an_account_that_is_gone_is_shown_as_such(
    served: Served, operator: httpx.Client
) -> None:
    with database.writing(served.stage.engine) as connection:
        registry.bind(connection, registry.add_version(connection), "gone")
    assert "not configured" in operator.get("/templates/login").text
    assert "no account may send it now" in operator.get("/templates").text
