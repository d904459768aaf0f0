"""A recording: what one version left, as files, and how it is brought to another time and place.

A folder for each database holds

- `database.sql`: SQLite's dump, or that of pg_dump;
- `xinshi.toml`, as it was read;
- `ledger.jsonl`: what the gateways had taken before;
- `spool`: what the database had not taken;
- `story.json`: when it was recorded and where everything listened, API keys, and the messages by
  what they are.
"""

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

DATABASE = "database.sql"
CONFIG = "xinshi.toml"
LEDGER = "ledger.jsonl"
SPOOL = "spool"
STORY = "story.json"

#: The texts of the messages that are recorded, and the number that has opted out.
CODE = "【信使】您的验证码是 624913"
NOTICE = "【信使】您的订单已发货"
ADVERT = "【信使】春装上新，回T退订"
PERSONAL = "【信使】{name}，您的会员积分将到期"
OPTED_OUT = "13900000009"


def recipients(numbers: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows that campaigns are loaded with: each number with a name of its own."""
    return [{"msisdn": number, "name": f"会员{nth}"} for nth, number in enumerate(numbers)]


#: A moment as it is written for people, up to its seconds: dumps, JSON and gateways write it so,
#: and in forms with other marks.
_WRITTEN = re.compile(r"(?<!\d)(\d{4}-\d\d-\d\d)([ T+])(\d\d)(:|%3A)(\d\d)\4(\d\d)(?!\d)")
#: A moment as whole seconds (a fraction may follow), milliseconds or microseconds since 1970.
_COUNTED = re.compile(r"(?<![\w.\-])(\d{10}|\d{13}|\d{16})(?=\.\d|[^\w.\-]|$)")
#: Bytes in a dump of SQLite, or of PostgreSQL.
_BYTES = re.compile(r"X'([0-9a-fA-F]*)'|'\\x([0-9a-f]*)'")
#: A number that counts a moment further from the recording than this is another kind of number.
_FAR = timedelta(days=40)
_SECOND = timedelta(seconds=1)


@dataclass
class Story:
    """What a recording tells: when and where it was made, and of which messages."""

    #: The moment of the recording: leases and validities count from it.
    at: datetime
    #: The version that it is of, as `xinshi --version` prints it.
    version: str
    database_url: str
    #: Where the gateways listened.
    gateways: str
    #: The URL that was told of events.
    application: str
    #: API keys, that of whose campaigns these are, and the secret of the callback.
    key: str = ""
    revoked_key: str = ""
    campaigns_key: str = ""
    secret: str = ""
    #: The `webhook-id` of the events that the application had taken.
    taken_events: list[str] = field(default_factory=list)
    #: The messages, by what they are, and their numbers in the same order.
    ids: dict[str, list[str]] = field(default_factory=dict)
    to: dict[str, list[str]] = field(default_factory=dict)
    campaigns: dict[str, int] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it into a recording, a list to a line."""
        fields = {**vars(self), "at": self.at.isoformat()}
        written = json.dumps(fields, ensure_ascii=False, indent=1)
        lists = re.compile(r"\[[^\[\]{}]*\]")
        written = lists.sub(lambda match: " ".join(match[0].split()), written)
        (folder / STORY).write_text(written + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Story":
        """Read what `write` wrote."""
        fields: dict[str, Any] = json.loads((folder / STORY).read_text("utf-8"))
        return cls(**{**fields, "at": datetime.fromisoformat(fields["at"])})


@dataclass(frozen=True)
class Shift:
    """Moves the moments in a text by whole seconds: fractions and zones stay as they are."""

    recorded: datetime
    by: timedelta

    @classmethod
    def to(cls, recorded: datetime, moment: datetime) -> "Shift":
        """Return the one that brings the moment of a recording to another, or a little before."""
        return cls(recorded, (moment - recorded) // _SECOND * _SECOND)

    def text(self, written: str) -> str:
        """Move the moments of a text, and of the bytes that a dump writes in hexadecimal digits."""
        return _BYTES.sub(self._bytes, self._plain(written))

    def spooled(self, written: str) -> str:
        """Move the moments of a file of the spool, where a page's body is in BASE64."""
        rows = [json.loads(line) for line in written.splitlines()]
        for row in rows:
            if "body" in row:
                body = self._plain(base64.b64decode(row["body"]).decode("latin-1"))
                row["body"] = base64.b64encode(body.encode("latin-1")).decode("ascii")
        return "".join(json.dumps(row) + "\n" for row in rows)

    def _plain(self, written: str) -> str:
        return _COUNTED.sub(self._counted, _WRITTEN.sub(self._written, written))

    def _written(self, match: re.Match[str]) -> str:
        day, between, hour, mark, minute, second = match.groups()
        moment = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}") + self.by
        return moment.strftime(f"%Y-%m-%d{between}%H{mark}%M{mark}%S".replace("%3A", "%%3A"))

    def _counted(self, match: re.Match[str]) -> str:
        unit = 10 ** (len(match[1]) - 10)
        moment = datetime.fromtimestamp(int(match[1]) / unit, UTC)
        if abs(moment - self.recorded) > _FAR:
            return match[0]
        return str(int(match[1]) + self.by // _SECOND * unit)

    def _bytes(self, match: re.Match[str]) -> str:
        body = bytes.fromhex(match[1] or match[2] or "").decode("latin-1")
        digits = self._plain(body).encode("latin-1").hex()
        return f"X'{digits}'" if match[1] is not None else f"'\\x{digits}'"


def copy(source: Path, target: Path, change: Callable[[str], str]) -> None:
    """Copy a text file with a change; only its owner may read the copy."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.touch(mode=0o600)
    target.write_text(change(source.read_text("utf-8")), "utf-8")
