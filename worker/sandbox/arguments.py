"""Lists the arguments that each kind of misbehaviour takes, and their types."""

from collections.abc import Mapping

_NUMBER = (int, float)
_TEXT = (str,)
_FLAG = (bool,)
_LIST = (list,)
_WINDOW = {"window": _NUMBER}

#: The arguments by a rule's `what`, or by the wire's name behind `take_then_` and `not_taken_`.
_ARGUMENTS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "refuse": {"code": _TEXT, "body": _TEXT, "charset": _TEXT, "status": (int,)},
    "throttle": {
        **_WINDOW,
        "rate": _NUMBER,
        "unit": _TEXT,
        "code": _TEXT,
        "status": (int,),
        "retry_after": _NUMBER,
    },
    "throttled": {"code": _TEXT, "status": (int,), "retry_after": _NUMBER},
    "too_many_singles": {**_WINDOW, "n": (int,)},
    "hang": {"seconds": _NUMBER},
    "trickle": {"interval": _NUMBER},
    "garbage": {"body": _TEXT},
    "wrong_charset": {"charset": _TEXT},
    "huge": {"megabytes": (int,)},
    "redirect": {"location": _TEXT, "taken": _FLAG},
    "hostile": {"kind": _TEXT},
    "latency": {"seconds": _NUMBER, "jitter": _NUMBER},
    "close_idle": {"when": _TEXT, "delay": _NUMBER, "reset": _FLAG},
    "report_status": {"status": _TEXT, "share": _NUMBER},
    "lose_reports": {"share": _NUMBER},
    "double_reports": {"times": (int,), "spread": _NUMBER, "share": _NUMBER},
    "part_reports": {"failed": _LIST, "share": _NUMBER},
    "delay_reports": {"seconds": _NUMBER, "shown": _NUMBER, "share": _NUMBER},
    "reorder_reports": {"spread": _NUMBER, "share": _NUMBER},
    "unknown_id_reports": {"id": _TEXT, "share": _NUMBER},
    "masked_numbers": {"share": _NUMBER},
    "reply": {"text": _TEXT, "seconds": _NUMBER, "share": _NUMBER},
}


def types_of(what: str) -> Mapping[str, tuple[type, ...]]:
    """Return the types of a misbehaviour's arguments, by the arguments' names."""
    name = what.removeprefix("take_then_").removeprefix("not_taken_")
    return _ARGUMENTS.get(name, {})
