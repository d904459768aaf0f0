"""Say what a request for codes takes of the allowances: for each number, and for a client."""

from collections.abc import Sequence

from worker.config.web_settings import WebSettings
from worker.domain.client_key import client_key
from worker.domain.enums import MessageClass
from worker.domain.errors import Problem, Refused
from worker.intake.enqueue import CheckedRequest
from worker.store.intake.allowances import AllowanceClaim


def allowance_claims(
    web: WebSettings, checked: CheckedRequest, client: str | None, *, test: bool = False
) -> Sequence[AllowanceClaim]:
    """Return what a request takes of the allowances: nothing, unless it is a code.

    Each number of a list is a code of its own, for the number and for the client. Raises `Refused`
    when a list has more numbers than the client may ever have codes.
    """
    if checked.new_request.message_class is not MessageClass.OTP:
        return ()
    prefix = "test_" if test else ""
    claims = []
    if web.otp_per_recipient:
        claims += [
            AllowanceClaim(f"{prefix}otp_recipient", recipient, web.otp_per_recipient)
            for recipient in checked.msisdns
        ]
    if client is not None and web.otp_per_client:
        count = len(checked.msisdns)
        max_codes = min(window.max_calls for window in web.otp_per_client)
        if count > max_codes:
            advice = f"has {count} numbers, and one client may have {max_codes} codes at a time"
            raise Refused([Problem("to", advice)])
        claims.append(
            AllowanceClaim(
                f"{prefix}otp_client", client_key(client), web.otp_per_client, count=count
            )
        )
    return claims
