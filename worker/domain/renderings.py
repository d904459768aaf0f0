"""Render templates: turn the values of one recipient into what an account's vendor takes. Pure.

A rendering is a version of a template as one account sends it: by which binding, with which
signature. The same values always give the same parameters and the same text, so that segments are
those of what is sent, and a repeat is equal to the first call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from worker.domain import placeholders
from worker.domain.enums import PlanKind
from worker.domain.errors import Problem
from worker.domain.texts import links


class TemplateKey(NamedTuple):
    """What a version of a registered template is called."""

    key: str
    version: int


class ValueLimits(NamedTuple):
    """What a value may be: how long, whether of digits only, whether it may hold a link."""

    max_length: int | None = None
    min_length: int = 0
    digits: bool = False
    links: bool = True
    #: Characters that the vendor cannot carry in a value, as the commas of a list.
    forbidden: str = ""

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the limits that are stored as `fields`."""
        return cls(**{name: fields[name] for name in cls._fields if name in fields})

    def to_json(self) -> dict[str, Any]:
        """Return the limits as they are stored: only what is not the default."""
        defaults = type(self)()._asdict()
        return {name: value for name, value in self._asdict().items() if value != defaults[name]}

    def problem(self, value: str) -> str | None:
        """Return what is wrong with a value; None when it may be sent."""
        if self.max_length is not None and len(value) > self.max_length:
            return f"has {len(value)} characters, and {self.max_length} are allowed"
        if len(value) < self.min_length:
            return f"has {len(value)} characters, and {self.min_length} are needed"
        if self.digits and not (value.isascii() and value.isdigit()):
            return "may be digits only"
        if not self.links and links.contains(value):
            return "may hold no link"
        if any(character in value for character in self.forbidden):
            return f"may hold none of {' '.join(self.forbidden)}"
        return None


@dataclass(frozen=True, slots=True)
class ParameterPlan:
    """How an account takes values: its kind, and the vendor's name of each value, in order."""

    kind: PlanKind
    #: The vendor's name of a value beside the template's own.
    names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the plan that is stored as `fields`."""
        names = tuple((theirs, ours) for theirs, ours in fields.get("names", ()))
        return cls(PlanKind(fields["kind"]), names)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as it is stored."""
        return {"kind": self.kind.value, "names": [list(pair) for pair in self.names]}

    def parameters(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the values by the vendor's names, in the vendor's order."""
        return {theirs: values[ours] for theirs, ours in self.names}


@dataclass(frozen=True, slots=True)
class Rendering:
    """A version of a template as one account sends it."""

    binding_id: int
    account: str
    #: The text without its signature.
    body: str
    plan: ParameterPlan
    #: The vendor's id of its template; None where the account takes whole texts.
    vendor_id: str | None = None
    #: The signature's name, without 【】, and what the vendor calls it where that is not the name.
    signature: str | None = None
    signature_id: str | None = None
    #: What may be sent as each value: the template's limits, and the vendor's own.
    limits: tuple[Mapping[str, ValueLimits], ...] = field(default=())

    @property
    def signed_body(self) -> str:
        """The whole text, with `{name}` for each value."""
        if self.signature is None:
            return self.body
        return f"【{placeholders.escape(self.signature)}】{self.body}"

    def problems(self, values: Mapping[str, str]) -> list[Problem]:
        """Return why these values cannot be sent in this form, each with its name; [] if they can.

        A value's own text never stands in what is returned.
        """
        missing = sorted(placeholders.names(self.body) - values.keys())
        if missing:
            return [Problem(f"variables.{name}", "has no value") for name in missing]
        return [
            Problem(f"variables.{name}", "may hold no 【】, which are a signature's")
            for name, value in values.items()
            if "【" in value or "】" in value
        ] + [
            Problem(f"variables.{name}", what)
            for limits in self.limits
            for name, value_limits in limits.items()
            if name in values and (what := value_limits.problem(values[name]))
        ]

    def text(self, values: Mapping[str, str]) -> str:
        """Return the whole text, with its signature, as its recipient reads it."""
        return placeholders.fill(self.signed_body, values)

    def parameters(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the values by the vendor's names, in the vendor's order."""
        return self.plan.parameters(values)
