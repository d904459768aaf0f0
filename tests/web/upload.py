"""`python -m tests.web.upload`: a CSV file of a million rows, and the memory that it takes.

python -m tests.web.upload --rows 1000000 --database postgresql
"""

import argparse
import csv
import io
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.support.servers import Databases
from tests.support.stage import Stage, section
from tests.support.web_process import Live, live
from tests.web.conftest import make_key
from worker.sandbox import Sandbox
from worker.store.db import database

#: How much more than before the process may have had at its peak, in bytes.
MOST = 128 * 1024 * 1024
BOUNDARY = "rows-and-rows"
PART = 10_000


def main(words: list[str]) -> int:
    """Run; 1 when rows are missing or the memory was too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "mysql"], default="sqlite")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        try:
            with (
                databases.migrated(given.database) as url,
                Sandbox(ledger=Path(folder) / "ledger", fsync="none") as sandbox,
            ):
                stage = Stage(url, database.connect(url), sandbox, Path(folder))
                accounts = {"v1": section(sandbox, "v1")}
                with live(stage, accounts) as web:
                    return _run(web, make_key(stage), given.rows)
        finally:
            databases.close()


def _run(web: Live, key: str, rows: int) -> int:
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    with httpx.Client(base_url=web.url, timeout=3600, trust_env=False) as client:
        client.get("/readyz")
        before, begun = web.peak(), time.perf_counter()
        answer = client.post("/v1/campaigns", headers=headers, content=_form(rows))
    seconds, more = time.perf_counter() - begun, web.peak() - before
    said = answer.json()
    print(  # noqa: T201 - that is what it is run for
        f"{answer.status_code}: {said.get('total')} of {rows} rows in {seconds:.0f} s;"
        f" the process had {before >> 20} MiB before and {more >> 20} MiB more at its peak"
    )
    return 0 if said.get("total") == rows and more < MOST else 1


def _form(rows: int) -> Iterator[bytes]:
    """Yield a form as a browser sends it, some rows at a time."""
    fields = {"name": "million", "text": "【信使】{name}，春装上新，回T退订", "start": "false"}
    for name, value in fields.items():
        yield _head(name) + value.encode() + b"\r\n"
    yield _head("recipients", '; filename="people.csv"\r\nContent-Type: text/csv')
    yield "手机号,name\r\n".encode()
    for first in range(0, rows, PART):
        text = io.StringIO()
        csv.writer(text).writerows(
            (f"138{nth:08d}", f"客户{nth}") for nth in range(first, min(rows, first + PART))
        )
        yield text.getvalue().encode()
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def _head(name: str, more: str = "") -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
