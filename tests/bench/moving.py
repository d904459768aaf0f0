"""`python -m tests.bench.moving CONFIG FILE`: loads at the word `load`, exports at `export`."""

import sys
from pathlib import Path


def main(config: str, file: str) -> None:
    """Do as the command line does, in one process that can be watched."""
    from producer.cli.commands.campaign_create import create  # noqa: F401 - what the command imports
    from producer.cli.commands.campaigns import export
    from tests.bench.campaigns import load
    from worker.config.settings import load as configured
    from worker.intake import campaigns
    from worker.store.db import database

    settings = configured(Path(config), {})
    engine = database.connect(settings.database_url)
    one = 0
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for word in sys.stdin:
        if word.strip() == "load":
            one = load(engine, settings, Path(file))
            sys.stdout.write(f"{one}\n")
        else:
            target = Path(file).with_suffix(".out")
            export(one, target_file=target, config=Path(config))
            with target.open("rb") as lines:
                sys.stdout.write(f"{sum(1 for _ in lines) - 1}\n")
            assert campaigns.show(engine, one).total
        sys.stdout.flush()
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
