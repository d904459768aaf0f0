"""Code tables: what a gateway's status codes mean, as data.

A table is a TOML file in `worker/gateways/adapters/codes/`, one section a code::

    [112]
    meaning = "号码错误"            # the gateway's own words
    outcome = "rejected"           # a worker.domain.enums.Outcome
    fault = "number"               # optional: a worker.domain.enums.Fault
    advice = "slow_down"           # optional: a worker.domain.enums.Advice
    hold = "10m"                   # optional, with account_held: absent means until released
    remedy = "…"                   # optional: what a person does about it, in plain words
    source = "001 §4"              # document and section

An account's settings lay their own codes over it (`[accounts.NAME.codes]`), because resellers
invent them: a key is a code or the gateway's words, exactly, or a pattern between slashes
(`"/余额/"`); a value is an outcome (`"rejected"`) or a table with the fields above.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from pydantic import BaseModel, ConfigDict, field_validator

from worker.domain.durations import Duration
from worker.domain.enums import Advice, Fault, Outcome
from worker.gateways.results import Result

#: What a table may say; `not_sent` is the wire's alone.
SAYABLE = frozenset(Outcome) - {Outcome.NOT_SENT}


class Meaning(BaseModel):
    """What one code means, and who says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: Outcome
    meaning: str = ""
    fault: Fault | None = None
    advice: Advice | None = None
    hold: Duration | None = None
    remedy: str = ""
    source: str = ""

    @field_validator("outcome")
    @classmethod
    def _sayable(cls, outcome: Outcome) -> Outcome:
        if outcome not in SAYABLE:
            msg = (
                f"{outcome} cannot be said by a gateway; choose one of {', '.join(sorted(SAYABLE))}"
            )
            raise ValueError(msg)
        return outcome


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A gateway's codes with an account's own laid over them."""

    meanings: Mapping[str, Meaning]
    own: Mapping[str, Meaning]

    @classmethod
    def load(cls, gateway: str) -> "CodeTable":
        """Read the data file of `gateway` from `worker/gateways/adapters/codes/`."""
        text = resources.files("worker.gateways.adapters").joinpath("codes", f"{gateway}.toml")
        sections = tomllib.loads(text.read_text("utf-8"))
        return cls({code: Meaning.model_validate(said) for code, said in sections.items()}, {})

    def overlaid(self, own: Mapping[str, Meaning]) -> "CodeTable":
        """Return this table with an account's own codes, which come first."""
        return CodeTable(self.meanings, own)

    def read(self, code: str, words: str = "", gateway_id: str | None = None) -> Result:
        """Turn a gateway's `code` and `words` into a result; what is in no table is `unknown`."""
        meaning = self._own(code, words) or self.meanings.get(code)
        if meaning is None:
            return Result(Outcome.UNKNOWN, code, words, gateway_id, mapped=False)
        return Result(
            meaning.outcome,
            code,
            words or meaning.meaning,
            gateway_id,
            meaning.fault,
            meaning.advice,
            meaning.hold,
        )

    def remedy(self, code: str, words: str = "") -> str:
        """Say what a person does about a code; "" where no table says it."""
        meaning = self._own(code, words) or self.meanings.get(code)
        return meaning.remedy if meaning else ""

    def _own(self, code: str, words: str) -> Meaning | None:
        exact = self.own.get(code) or self.own.get(words)
        if exact is not None:
            return exact
        for key, meaning in self.own.items():
            pattern = pattern_of(key)
            if pattern and (pattern.search(code) or pattern.search(words)):
                return meaning
        return None


def pattern_of(key: str) -> re.Pattern[str] | None:
    """Return the compiled pattern of a key between slashes, or None for an exact key.

    Raises `ValueError` when the pattern cannot be compiled.
    """
    if len(key) < 3 or not (key.startswith("/") and key.endswith("/")):
        return None
    try:
        return re.compile(key[1:-1])
    except re.error as error:
        msg = f"{key} is no pattern: {error}"
        raise ValueError(msg) from None
