"""Notes which numbers the reports of vendors call blacklisted, for a person to decide on."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from worker.domain.enums import OptOutSource, ReportStatus
from worker.store.feedback import opt_outs
from worker.store.feedback.opt_outs import OptOutOrigin

#: Codes such as MBBLACK, and what vendors write beside theirs.
_BLACKLISTED = re.compile(r"BLACK|黑名单", re.IGNORECASE)


def note(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Note the whole numbers of stored reports that are undelivered because of a blacklist.

    A number is noted once, by its first report. Nothing is stopped by that.
    """
    msisdns_by_word: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if row["status"] != ReportStatus.UNDELIVERED.value or "*" in row["msisdn"]:
            continue
        if _BLACKLISTED.search(row["code"]) or _BLACKLISTED.search(row["words"] or ""):
            word = " ".join(filter(None, (row["code"], row["words"])))
            msisdns_by_word[row["account"], word].add(row["msisdn"])
    for (account, word), msisdns in sorted(msisdns_by_word.items()):
        origin = OptOutOrigin(OptOutSource.VENDOR, "reports", word, account=account)
        opt_outs.suggest(connection, msisdns, origin)
