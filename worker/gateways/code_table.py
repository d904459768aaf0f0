"""Reads code tables: what a gateway's status codes mean, as data.

A table is a TOML file in `worker/gateways/adapters/codes/` with one section for each code::

    [112]
    meaning = "号码错误"            # the gateway's own words
    outcome = "rejected"           # a worker.domain.enums.Outcome
    fault = "number"               # optional: a worker.domain.enums.Fault
    advice = "slow_down"           # optional: a worker.domain.enums.Advice
    hold = "10m"                   # optional, with account_held: absent means until released
    wait = "1m"                    # optional, with recipient_until: absent means the next day
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
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from worker.domain.durations import Duration
from worker.domain.enums import Advice, Fault, Outcome
from worker.gateways.results import Result

#: The outcomes that a table may name; only the transport says `not_sent`.
TABLE_OUTCOMES = frozenset(Outcome) - {Outcome.NOT_SENT}


class CodeMeaning(BaseModel):
    """What one code means, and the document that says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: Outcome
    meaning: str = ""
    fault: Fault | None = None
    advice: Advice | None = None
    hold: Duration | None = None
    wait: Duration | None = None
    remedy: str = ""
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read_old_advice(cls, fields: Any) -> Any:
        """Read `recipient_second`, as configurations may still have it, as a wait of one second."""
        if isinstance(fields, Mapping) and fields.get("advice") == "recipient_second":
            return {**fields, "wait": 1.0}
        return fields

    @field_validator("outcome")
    @classmethod
    def _check_outcome(cls, outcome: Outcome) -> Outcome:
        if outcome not in TABLE_OUTCOMES:
            choices = ", ".join(sorted(TABLE_OUTCOMES))
            msg = f"{outcome} cannot be said by a gateway; choose one of {choices}"
            raise ValueError(msg)
        return outcome


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A gateway's codes, with the account's own codes (`overrides`) laid over them."""

    meanings: Mapping[str, CodeMeaning]
    overrides: Mapping[str, CodeMeaning]

    @classmethod
    def load(cls, gateway_name: str) -> "CodeTable":
        """Read the data file of a gateway from `worker/gateways/adapters/codes/`."""
        text = resources.files("worker.gateways.adapters").joinpath("codes", f"{gateway_name}.toml")
        sections = tomllib.loads(text.read_text("utf-8"))
        return cls(
            {code: CodeMeaning.model_validate(fields) for code, fields in sections.items()}, {}
        )

    def with_overrides(self, overrides: Mapping[str, CodeMeaning]) -> "CodeTable":
        """Return this table with an account's own codes, which win over the gateway's."""
        return CodeTable(self.meanings, overrides)

    def read(self, code: str, words: str = "", gateway_id: str | None = None) -> Result:
        """Turn a gateway's `code` and `words` into a result; what is in no table is `unknown`."""
        meaning = self._override(code, words) or self.meanings.get(code)
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
            wait=meaning.wait,
        )

    def remedy(self, code: str, words: str = "") -> str:
        """Return what a person does about a code; "" where no table says it."""
        meaning = self._override(code, words) or self.meanings.get(code)
        return meaning.remedy if meaning else ""

    def _override(self, code: str, words: str) -> CodeMeaning | None:
        """Return what the account's own codes say: an exact key first, then the patterns."""
        exact_match = self.overrides.get(code) or self.overrides.get(words)
        if exact_match is not None:
            return exact_match
        for key, meaning in self.overrides.items():
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
