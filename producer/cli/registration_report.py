"""Print bindings and signatures: how accounts send templates, and whether they may."""

from typing import TYPE_CHECKING

from producer.cli import output
from worker.domain import limit_syntax, parameter_plans, registrations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.store.templates.bindings import Binding
    from worker.store.templates.signatures import Signature

_BINDING_HEADERS = (
    *("binding", "template", "account", "vendor id", "plan", "signature", "state", "since", "who"),
)


def print_bindings(bindings: "Sequence[Binding]") -> None:
    """Print a table of bindings."""
    rows = [
        (
            binding.id,
            f"{binding.key} {binding.version}",
            binding.terms.account,
            binding.terms.vendor_id,
            plan_words(binding),
            signature_words(binding),
            registrations.state_words(binding.state, binding.why),
            binding.since,
            binding.who,
        )
        for binding in bindings
    ]
    output.print_table(_BINDING_HEADERS, rows)


def print_signatures(signatures: "Sequence[Signature]") -> None:
    """Print a table of signatures."""
    rows = [
        (
            signature.id,
            signature.account,
            f"【{signature.name}】",
            signature.vendor_id,
            registrations.state_words(signature.state, signature.why),
            signature.since,
            signature.who,
        )
        for signature in signatures
    ]
    output.print_table(("id", "account", "name", "vendor id", "state", "since", "who"), rows)


def plan_words(binding: "Binding") -> str:
    """Return a binding's plan in a line, with the vendor's limits: `positions code,minutes`."""
    plan = binding.terms.plan
    words = [plan.kind.value, parameter_plans.show(plan)]
    words += [
        f"{name}:{limit_syntax.show(limits)}" for name, limits in binding.terms.limits.items()
    ]
    return " ".join(filter(None, words))


def signature_words(binding: "Binding") -> str | None:
    """Return the signature of a binding, with its state where that is not `approved`."""
    if binding.signature_name is None:
        return None
    name = f"【{binding.signature_name}】"
    state = binding.signature_state
    return name if state is None or state.value == "approved" else f"{name} ({state.value})"
