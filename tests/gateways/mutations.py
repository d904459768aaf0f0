"""Mutated answers and pushes: no reader raises, nothing is invented, nothing secret is shown.

Recorded bodies are cut, spliced, doubled and given other statuses; each goes to all readers of a
gateway. The suite runs a few hundred; a long run is a command::

    python -m tests.gateways.mutations aliyun --answers 1000000 --seed 7

It prints what it counted, and ends with 1 at the first mutation that breaks a law; the same seed
makes the same mutations.
"""

import argparse
import re
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import httpx
from pydantic import SecretStr

from tests.gateways.test_laws import storable
from tests.support import recorded_cases
from worker.domain.enums import Outcome
from worker.gateways.base import Gateway, OutgoingSubmission
from worker.gateways.results import Result, Results

#: Mostly 200: other statuses say little more than themselves.
STATUSES = (*[200] * 12, 204, 302, 400, 403, 404, 429, 500, 502, 503)
#: What is put into a body beside the gateway's own words.
SNIPPETS = (
    *(b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\", b"\0", b"null", b"true", b"0", b"-1"),
    *(b"1e999", b"<", b">", b"&", b"|", b"\xff", b"\xe4\xb8", b"\\ud83d", b"//", b" ", b"\n"),
)
MAX_EDITS = 4
_LONG_DIGITS = re.compile(r"\d{11,}", re.ASCII)


class Mutation(NamedTuple):
    """An answer as it comes to the readers, and how many messages it is to."""

    status: int
    body: bytes
    messages: int

    def __str__(self) -> str:
        """Return what is needed to record it as a case."""
        base64 = b64encode(self.body).decode()
        return f"status {self.status}, to {self.messages} numbers, base64 {base64}"


class BrokenLaw(AssertionError):
    """A mutation broke a law."""


def mutations(name: str, count: int, seed: int) -> Iterator[Mutation]:
    """Yield mutations of what is recorded of a gateway."""
    random = Random(seed)
    bodies = _bodies(name)
    words = sorted({word for body in bodies for word in re.findall(rb"[\w.]{2,}", body)})
    for _ in range(count):
        body = random.choice(bodies)
        for _ in range(random.randint(0, MAX_EDITS)):
            body = _edit(random, body, words)
        yield Mutation(random.choice(STATUSES), body, random.choice((1, 1, 3)))


def _bodies(name: str) -> list[bytes]:
    """Return what is recorded: answers, pushes, and each code as an answer says it."""
    book = recorded_cases.book(name)
    bodies = [recorded_cases.body(case) for case in book["answers"] + book.get("pushes", [])]
    for way in book["codes"]:
        codes = recorded_cases.CLASSES[name].codes.meanings
        for code in codes if way["codes"] == "*" else way["codes"]:
            written = way["text"].replace("{code}", way.get("as", {}).get(code, code))
            bodies.append(recorded_cases.body({**way, "text": written}))
    return bodies


def _edit(random: Random, body: bytes, words: Sequence[bytes]) -> bytes:
    """Return a body with one change: a part cut, put in, replaced, doubled or turned."""
    at = random.randint(0, len(body))
    end = min(len(body), at + random.randint(0, 40))
    word, other = random.choice(words), random.choice(words)
    return random.choice(
        (
            body[:at],
            body[:at] + body[end:],
            body[:at] + random.choice(SNIPPETS) + body[at:],
            body[:at] + word + body[end:],
            body.replace(word, other, 1),
            body[:at] + body[at:end] * random.randint(2, 5) + body[end:],
            body[:at] + random.randbytes(random.randint(1, 4)) + body[end:],
        )
    )


class LawCheck:
    """Reads mutations with all readers of one account, and counts what they mean."""

    def __init__(self, of: Gateway, success: str | None) -> None:
        self._of = of
        self._success = re.compile(success) if success else None
        self._readers = [name for name in recorded_cases.readers(of) if name != "results"]
        held = (getattr(of.settings, key) for key in type(of.settings).model_fields)
        self._secrets = [
            secret.get_secret_value() for secret in held if isinstance(secret, SecretStr)
        ]
        self._pushes = type(of).read_push is not Gateway.read_push
        self._submissions = {count: _submission(count) for count in (1, 3)}
        self.counts: Counter[str] = Counter()

    def check(self, mutation: Mutation) -> None:
        """Read one mutation; raises `BrokenLaw`."""
        answer = httpx.Response(mutation.status, content=mutation.body)
        submission = self._submissions[mutation.messages]
        try:
            results = self._of.read_results(answer, submission)
            pages = [getattr(self._of, f"read_{reader}")(answer) for reader in self._readers]
            if self._pushes:
                push = httpx.Request("POST", "https://push.example/p", content=mutation.body)
                pages.append(self._of.read_push(push))
        except Exception as error:
            msg = f"a reader raised {type(error).__name__}: {mutation}"
            raise BrokenLaw(msg) from error
        for result in (results.default, *results.per_recipient.values()):
            self._check_result(mutation, result)
        _require(_fits(results, mutation.messages), "there are results of no message", mutation)
        for page in pages:
            _require(storable(page), "a text cannot be stored", mutation)
            if getattr(page, "refusal", None) is not None:
                self._check_words(mutation, page.refusal)
        self.counts[results.default.outcome.value] += 1

    def _check_result(self, mutation: Mutation, result: Result) -> None:
        self._check_words(mutation, result)
        if result.outcome is not Outcome.ACCEPTED:
            return
        _require(200 <= mutation.status < 300, "success with such a status", mutation)
        if self._success is not None:
            text = mutation.body.replace(b"\0", b"").decode("utf-8", "replace")
            said = self._success.search(text) is not None
            _require(said, "success without success", mutation)

    def _check_words(self, mutation: Mutation, result: Result) -> None:
        _require(storable(result), "a text cannot be stored", mutation)
        shown = f"{result.words} {result.code}"
        _require(not any(secret in shown for secret in self._secrets), "a secret", mutation)
        _require(_LONG_DIGITS.search(result.words) is None, "a whole number", mutation)


def _submission(count: int) -> OutgoingSubmission:
    numbers = [str(13_800_138_000 + n) for n in range(count)]
    return recorded_cases.parcel({"to": numbers})


def _fits(results: Results, count: int) -> bool:
    """Tell whether results are about messages that there are."""
    positions = set(results.per_recipient) <= set(range(count))
    return positions and len(results.gateway_ids) in {0, count}


def _require(holds: bool, what: str, mutation: Mutation) -> None:  # noqa: FBT001 - an assertion
    if not holds:
        msg = f"{what}: {mutation}"
        raise BrokenLaw(msg)


def run(name: str, answers: int, seed: int) -> Mapping[str, int]:
    """Check so many mutations, by turns for each recorded account; return how they were read."""
    book: Mapping[str, Any] = recorded_cases.book(name)
    checks = [
        LawCheck(recorded_cases.gateway(name, account), book.get("success"))
        for account in book["accounts"]
    ]
    for nth, mutation in enumerate(mutations(name, answers, seed)):
        checks[nth % len(checks)].check(mutation)
    return sum((check.counts for check in checks), Counter())


def main() -> int:
    """Run from the command line; 1 when a law is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=recorded_cases.NAMES, help="the gateway")
    parser.add_argument("--answers", type=int, default=100_000, help="how many (100,000)")
    parser.add_argument("--seed", type=int, default=0, help="what they follow from (0)")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        counts = run(options.name, options.answers, options.seed)
    except BrokenLaw as broken:
        print(broken)  # noqa: T201 - what the command is for
        return 1
    seconds = time.monotonic() - began
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items()))
    print(f"{options.name}: {options.answers:,} answers in {seconds:.0f} s: {told}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
