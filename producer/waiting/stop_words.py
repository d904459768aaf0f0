"""Says that a class is stopped, since when, by whom and why."""

from producer.waiting.wait_reasons import WaitCause, WaitKind
from worker.domain.timezone import SHANGHAI
from worker.store.delivery.stops import Stop


def stop_reason(stop: Stop) -> WaitCause:
    """Return a stop as the reason for which the messages of its class wait."""
    name = stop.message_class.value
    since = f"{stop.since.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    why = f": {stop.why}" if stop.why else ""
    return WaitCause(
        WaitKind.STOPPED,
        why=f"{name} is stopped since {since} by {stop.who}{why}",
        advice=f"`xinshi resume {name}`",
    )
