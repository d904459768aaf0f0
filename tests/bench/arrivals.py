"""When messages reached the gateway, by the sandbox's own clock, as its ledger comes to say so."""

import json
from collections.abc import Mapping

from tests.bench.ground import SandboxProcess, wait

#: How often the ledger is looked at, in seconds.
EVERY = 0.004


class Arrivals:
    """Follows a ledger from its present end on."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self._ledger = sandbox.ledger
        self._at = self._ledger.stat().st_size
        self._torn = b""
        #: The time of each number's arrival, in seconds since 1970.
        self.at: dict[str, float] = {}
        #: How many requests that took something came, and how many messages they took.
        self.requests = self.messages = 0

    def look(self) -> None:
        """Read what was written since the last look."""
        with self._ledger.open("rb") as lines:
            lines.seek(self._at)
            grown = lines.read()
        self._at += len(grown)
        *whole, self._torn = (self._torn + grown).split(b"\n")
        for line in map(json.loads, whole):
            self._note(line)

    def _note(self, line: Mapping[str, object]) -> None:
        taken = line.get("taken", ())
        assert isinstance(taken, list | tuple)
        self.requests += bool(taken)
        self.messages += len(taken)
        # Of a batch nobody asks: a million numbers need not be kept.
        if len(taken) == 1:
            self.at[taken[0]] = float(str(line["at"]))

    def of(self, number: str, within: float = 60.0) -> float:
        """Wait until a number has arrived, and say when it did."""

        def there() -> float | None:
            self.look()
            return self.at.get(number)

        return float(wait(there, within=within, every=EVERY))
