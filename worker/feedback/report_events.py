"""Tells the metrics of this process of reports: how many came, and how long deliveries took."""

from collections.abc import Iterable
from datetime import UTC, datetime

from worker import instrumentation
from worker.domain import carriers
from worker.domain.enums import ReportStatus
from worker.feedback.report_matching import MatchedReport, ReportLookup

#: Stands for a number whose beginning tells no carrier.
NO_CARRIER = "other"


def tell_new(account: str, lookups: Iterable[ReportLookup]) -> None:
    """Tell of reports that were stored; those without a submission are of the account asked."""
    if not instrumentation.is_on():
        return
    for report, origin, _ in lookups:
        name = account if origin is None else origin.account
        status = ReportStatus(report.status)
        instrumentation.backend.reported(name, _carrier(report.msisdn), status.value)


def tell_deliveries(reports: Iterable[MatchedReport]) -> None:
    """Tell how long after its call each message was delivered, where both times are known."""
    if not instrumentation.is_on():
        return
    now = datetime.now(UTC)
    for report, origin, _ in reports:
        if ReportStatus(report.status) is ReportStatus.DELIVERED and origin.called_at is not None:
            seconds = ((report.reported_at or now) - origin.called_at).total_seconds()
            carrier = _carrier(report.msisdn)
            instrumentation.backend.delivered(origin.account, carrier, max(0.0, seconds))


def _carrier(msisdn: str) -> str:
    carrier = carriers.carrier(msisdn)
    return NO_CARRIER if carrier is None else carrier.value
