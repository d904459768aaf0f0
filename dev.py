#!/usr/bin/env python3
"""The one runner: sets up what it needs in .venv, then does what it is told.

    python3 dev.py demo          run the demo
    python3 dev.py test [ARG…]   run the tests (arguments go to pytest)
    python3 dev.py slow          run the tests that take long: real processes, real time
    python3 dev.py faults        run the fault suite: kills, cuts and freezes; all of it takes long,
                                 `-m "not slow"` is its deterministic part
    python3 dev.py lint          ruff: rules and format; no pronoun as a name
    python3 dev.py types         mypy, strict
    python3 dev.py layers        import-linter: the layers in pyproject.toml
    python3 dev.py all           lint, types, layers, test
    python3 dev.py build         make wheel, sdist and image context in dist/, of what is committed
    python3 dev.py lock          resolve the newest releases into the lock files (needs uv)

It needs Python 3.11 with pip and venv, and nothing else.
"""

import ast
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".venv"
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
LOCK = ROOT / "requirements-dev.lock"
#: The files that the image is built from: deploy/Dockerfile, and what it copies.
IMAGE_SOURCES = (
    *("deploy/Dockerfile", "LICENSE", "README.md", "pyproject.toml", "requirements.lock"),
    *("producer", "worker"),
)
#: Words that do not say what they name: no variable, parameter or field of ours is called so.
PRONOUNS = frozenset(
    "one some those these its found said told made here there of each mine".split()  # noqa: SIM905
)
#: A file and a name that may stand there all the same, with the reason; five at the most.
PRONOUNS_KEPT: dict[tuple[str, str], str] = {}


def run(*command: str | Path) -> int:
    """Run a command in the root folder; its exit status."""
    return subprocess.call([str(word) for word in command], cwd=ROOT)


def set_up() -> None:
    """Make the environment, unless it is there and as the lock file says."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = HOME / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("setting up .venv …", flush=True)
    if not stamp.exists():
        venv.create(HOME, with_pip=True, clear=HOME.exists())
    pip = (BIN / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    for words in (
        ("--require-hashes", "--requirement", LOCK),
        ("--no-deps", "--no-build-isolation", "--editable", ROOT),
    ):
        if run(*pip, *words):
            sys.exit("the set-up failed; see above")
    stamp.write_text(wanted)


def demo(words: list[str]) -> int:
    """Run the demo."""
    return run(BIN / "xinshi", "demo", *words)


def test(words: list[str]) -> int:
    """Run the quick tests, on three processes unless told otherwise: they wait half of the time."""
    split = [] if any(word.startswith("-n") for word in words) else ["-n", "3"]
    quick = [] if "-m" in words else ["-m", "not slow"]
    return run(BIN / "python", "-m", "pytest", *split, *quick, "--ignore=tests/faults", *words)


def slow(words: list[str]) -> int:
    """Run the tests that take long: real processes, real time."""
    return test(["-n", "2", "-m", "slow", *words])


def faults(words: list[str]) -> int:
    """Run the fault suite."""
    return run(BIN / "python", "-m", "pytest", "-n", "2", "tests/faults", *words)


def lint(_words: list[str]) -> int:
    """Hold the code to the rules, to the format, and to names that say what they name."""
    ruff = BIN / "ruff"
    return run(ruff, "check", ".") or run(ruff, "format", "--check", ".") or pronouns()


def pronouns() -> int:
    """Print every pronoun that `worker` or `producer` use as a name; 1 when there is any."""
    files = [path for top in ("worker", "producer") for path in sorted((ROOT / top).rglob("*.py"))]
    places = [place for path in files for place in pronouns_in(path)]
    for path, line, name in places:
        print(f"{path}:{line}: a pronoun as a name: {name}; name what it is")
    return 1 if places or len(PRONOUNS_KEPT) > 5 else 0


def pronouns_in(path: Path) -> list[tuple[str, int, str]]:
    """Return the file, line and word of each name in a file that is a pronoun."""
    file = path.relative_to(ROOT).as_posix()
    bound = [
        (node.lineno, node.arg if isinstance(node, ast.arg) else node.id)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.arg) or (isinstance(node, ast.Name) and not is_read(node))
    ]
    return [
        (file, line, name)
        for line, name in bound
        if name in PRONOUNS and (file, name) not in PRONOUNS_KEPT
    ]


def is_read(name: ast.Name) -> bool:
    """Whether a name is used and not given here."""
    return isinstance(name.ctx, ast.Load)


def types(_words: list[str]) -> int:
    """Check the types."""
    return run(BIN / "mypy")


def layers(_words: list[str]) -> int:
    """Hold the imports to the layers."""
    return run(BIN / "lint-imports")


def everything(words: list[str]) -> int:
    """Do all that has to be green."""
    return lint([]) or types([]) or layers([]) or test(words)


def git(*words: str) -> bytes:
    """Run git in the root folder; what it prints."""
    command = ("git", *words)
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def build(words: list[str]) -> int:
    """Make wheel, sdist and image context of the last commit; each is the same every time.

    They lie in `dist`, or in the folder that is named.
    """
    target = Path(words[0] if words else ROOT / "dist").resolve()
    target.mkdir(parents=True, exist_ok=True)
    if git("status", "--porcelain"):
        print("what is not committed is not in it", file=sys.stderr)
    version = tomllib.loads(git("show", "HEAD:pyproject.toml").decode())["project"]["version"]
    context = target / f"xinshi-{version}-image.tar"
    context.write_bytes(git("archive", "HEAD", *IMAGE_SOURCES))
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(git("archive", "HEAD"))) as source:
            source.extractall(folder, filter="data")
        time = git("show", "--no-patch", "--format=%ct", "HEAD").decode().strip()
        made = subprocess.call(
            [BIN / "python", "-m", "hatchling", "build", "--directory", target],
            cwd=folder,
            env={**os.environ, "SOURCE_DATE_EPOCH": time},
        )
    print(context)
    return made


def lock(_words: list[str]) -> int:
    """Resolve the newest releases; the lock files hold pins and hashes, and no host."""
    export = ("uv", "export", "--quiet", "--no-emit-project", "--no-header", "--all-extras")
    return (
        run("uv", "lock", "--upgrade")
        or run(*export, "--no-default-groups", "--output-file", ROOT / "requirements.lock")
        or run(*export, "--group", "dev", "--output-file", LOCK)
    )


VERBS: dict[str, Callable[[list[str]], int]] = {
    "demo": demo,
    "test": test,
    "slow": slow,
    "faults": faults,
    "lint": lint,
    "types": types,
    "layers": layers,
    "all": everything,
    "build": build,
    "lock": lock,
}


def main(words: list[str]) -> int:
    """Do what the first word says."""
    if not words or words[0] not in VERBS:
        print(__doc__)
        return 0 if words[:1] in ([], ["--help"], ["-h"]) else 2
    if words[0] != "lock":
        set_up()
    return VERBS[words[0]](words[1:])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
