"""A receiver of callbacks that fails for minutes: in the end it was told everything, once.

    python -m tests.feedback.failing_receiver --minutes 10

It takes about twice as long: the pauses between two tries grow with the outage.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import func, select

from tests.feedback.test_callbacks import (
    ALLOWED,
    MASTER,
    Application,
    application,
)
from tests.support.stage import Stage, mobiles
from worker.feedback import callback_signatures
from worker.sandbox import Sandbox
from worker.store import migrations
from worker.store.db import database
from worker.store.feedback import callbacks
from worker.store.schema.tables import callback_event

MESSAGES = 500


def main() -> int:
    """Run it and print the counts; 1 when an event was lost, or taken twice."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--minutes", type=float, default=10.0)
    minutes = asked.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), minutes)


def run(folder: Path, minutes: float) -> int:
    """Enqueue while the receiver answers 503, let it heal, and wait until nothing is left."""
    url = f"sqlite:///{folder / 'xinshi.db'}"
    engine = database.connect(url)
    migrations.migrate(engine)
    began = time.monotonic()
    with Sandbox(ledger=folder / "ledger", report_delay=0, limits=False) as sandbox:
        stage = Stage(url, engine, sandbox, folder)
        stage.configure("v1", **ALLOWED)
        with application() as app, stage.working():
            app.answers = [503] * 10_000_000
            for nth in range(MESSAGES):
                stage.enqueue(mobiles(1, first=nth), callback_url=app.url)
            time.sleep(60.0 * minutes)
            refused = len(app.got)
            app.answers.clear()
            while left(stage):
                time.sleep(1.0)
            failed = tell(stage, app, refused, time.monotonic() - began)
        stage.close()
    engine.dispose()
    return failed


def left(stage: Stage) -> int:
    """How many events wait."""
    with database.reading(stage.engine) as connection:
        return int(
            connection.execute(select(func.count()).select_from(callback_event)).scalar_one()
        )


def tell(stage: Stage, app: Application, refused: int, seconds: float) -> int:
    """Print the counts; 1 when they are not what they have to be."""
    with database.reading(stage.engine) as connection:
        (mine,) = callbacks.list_callbacks(connection)
    secret = callback_signatures.derive_secret(MASTER, mine.id)
    taken = app.got[refused:]
    ids = Counter(said["webhook-id"] for said, _ in taken)
    # Signed when they came in: the tolerance for clocks is counted from then.
    forged = sum(
        not callback_signatures.is_signed(secret, said, body, float(said["webhook-timestamp"]))
        for said, body in app.got
    )
    twice = sum(count - 1 for count in ids.values())
    states = app.states()
    sys.stdout.write(
        f"{seconds:.0f} s; told {len(app.got)} times, refused {refused}, taken {len(taken)},"
        f" of these twice {twice}, not verified {forged}; states told last: {dict(states)}\n"
    )
    return int(bool(twice or forged or states != {"delivered": MESSAGES}))


if __name__ == "__main__":
    sys.exit(main())
