"""Finds which messages a number can mean, as a gateway prints it: whole, or masked with `*`.

A look-up costs the same however many messages there are: for each form of mask that occurs the
messages are sorted once by the digits that it leaves.
"""

from collections.abc import Iterable, Mapping

from worker.store.feedback.carried_messages import CarriedMessage
from worker.store.feedback.reports import ReportTarget

#: A mask's length, and how many digits stand before and after its stars.
_Shape = tuple[int, int, int]
_Targets = dict[int, ReportTarget]


def fits(printed: str, msisdn: str) -> bool:
    """Tell whether a number, as a gateway prints it, can mean this one."""
    if "*" not in printed:
        return printed == msisdn
    head, tail = printed.split("*", 1)[0], printed.rsplit("*", 1)[1]
    is_as_long = len(printed) == len(msisdn)
    return is_as_long and msisdn.startswith(head) and msisdn.endswith(tail)


class NumberIndex:
    """The messages of some submissions, by their numbers."""

    def __init__(self, messages: Iterable[CarriedMessage]) -> None:
        self._by_shape: dict[_Shape, dict[tuple[str, str], _Targets]] = {}
        self._by_number: dict[str, _Targets] = {}
        for message in messages:
            targets = self._by_number.setdefault(message.msisdn, {})
            targets[message.origin_id] = ReportTarget(message.request_id, message.n)

    @property
    def msisdns(self) -> list[str]:
        """The numbers of all messages."""
        return list(self._by_number)

    def targets(self, printed: str) -> Mapping[int, ReportTarget]:
        """Return the message that a number means in each submission, by the submissions' ids.

        A masked number means a message only where exactly one number of the submission fits it.
        """
        if "*" not in printed:
            return self._by_number.get(printed, {})
        head, tail = printed.split("*", 1)[0], printed.rsplit("*", 1)[1]
        shape = (len(printed), len(head), len(tail))
        if shape not in self._by_shape:
            self._by_shape[shape] = self._sort(*shape)
        return self._by_shape[shape].get((head, tail), {})

    def _sort(self, length: int, before: int, after: int) -> dict[tuple[str, str], _Targets]:
        """Sort the numbers of a length by the digits that a mask leaves."""
        numbers: dict[tuple[str, str], dict[int, set[str]]] = {}
        for number, targets in self._by_number.items():
            if len(number) == length:
                left = (number[:before], number[length - after :])
                fitting = numbers.setdefault(left, {})
                for origin_id in targets:
                    fitting.setdefault(origin_id, set()).add(number)
        return {
            left: {
                origin_id: self._by_number[next(iter(fitting))][origin_id]
                for origin_id, fitting in by_origin.items()
                if len(fitting) == 1
            }
            for left, by_origin in numbers.items()
        }
