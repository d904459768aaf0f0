"""Say which file hides our package `worker` from Python, where an application has its own.

It is imported before anything of `worker` is, and imports nothing of it.
"""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

#: Where our package lies: beside this one.
_OURS = Path(__file__).resolve().parent.parent / "worker"


def refuse_namesake() -> None:
    """Raise `ImportError` when `worker` is another module than ours, with its file."""
    spec = _spec()
    if spec is None:
        return
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if _OURS in (folder.resolve() for folder in folders):
        return
    place = spec.origin or next(map(str, folders), "a module without a file")
    msg = (
        f"{place} is called worker, as a package of Xinshi is, and hides it: rename it; or, if"
        " nothing imports it, set PYTHONSAFEPATH=1, so that Python looks for no modules in the"
        " current directory"
    )
    raise ImportError(msg, name="worker", path=place)


def _spec() -> ModuleSpec | None:
    """Return what Python takes for `worker`; None where that cannot be told."""
    if "worker" in sys.modules:
        return sys.modules["worker"].__spec__
    return importlib.util.find_spec("worker")


refuse_namesake()
