"""Holds what a page or push says, once it is fitted to what the tables hold."""

from dataclasses import dataclass

import httpx

from worker.gateways.results import InboundMessage, Report, Result

#: The header that marks a page of which only the start was kept; its value is the reason.
CUT_HEADER = "X-Xinshi-Cut"
#: The reason of a page that is longer than any that is read; it would be so again.
TOO_LONG = "TooLong"
#: The reason of a page of which we have stored the start alone.
NOT_STORED = "NotStored"


def cut_reason(response: httpx.Response) -> str:
    """Return why a page was cut off on its way; "" when it is whole."""
    return str(response.headers.get(CUT_HEADER, ""))


@dataclass(frozen=True, slots=True)
class PageContents:
    """The contents of a page or push, as they can be stored; `damaged` and `refusal` as `Page`."""

    reports: tuple[Report, ...] = ()
    inbound: tuple[InboundMessage, ...] = ()
    damaged: int = 0
    refusal: Result | None = None
    #: Why the page was cut off on its way; "" when it is whole.
    cut: str = ""

    @property
    def rows(self) -> int:
        """The number of rows that can be stored."""
        return len(self.reports) + len(self.inbound)

    def part(self, start: int, length: int) -> "PageContents":
        """Return up to `length` of the rows from `start` on, reports before replies."""
        end, count = start + length, len(self.reports)
        return PageContents(
            self.reports[start:end],
            self.inbound[max(0, start - count) : max(0, end - count)],
        )
