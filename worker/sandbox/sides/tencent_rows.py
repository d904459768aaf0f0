"""Writes the rows of Tencent Cloud SMS: of answers, pulls, queries and packages."""

from typing import Any

from worker.sandbox.texts import format_beijing
from worker.sandbox.world import SandboxInbound


def row(
    msisdn: str, code: str, serial: str = "", fee: int = 0, session: str = ""
) -> dict[str, Any]:
    """Return the row of a number in the answer to a submission."""
    return {
        "SerialNo": serial,
        "PhoneNumber": f"+86{msisdn}",
        "Fee": fee,
        "SessionContext": session,
        "Code": code,
        "Message": "send success" if code == "Ok" else f"sandbox: {code}",
        "IsoCode": "CN",
    }


def carrier_status(status: str) -> tuple[str, str]:
    """Return the status of a report, and its code."""
    codes = {"delivered": "DELIVRD", "failed": "UNDELIV", "blacklisted": "MBBLACK"}
    word = "SUCCESS" if status == "delivered" else "FAIL"
    return word, codes.get(status, "UNKNOWN" if status == "unknown" else status)


def status_row(msisdn: str, serial: str, status: str, at: float, session: str) -> dict[str, Any]:
    """Return a row of a pull or a query; here `Description` is the code."""
    word, code = carrier_status(status)
    return {
        "UserReceiveTime": int(at),
        "CountryCode": "86",
        "SubscriberNumber": msisdn,
        "PhoneNumber": f"+86{msisdn}",
        "SerialNo": serial,
        "ReportStatus": word,
        "Description": code,
        "SessionContext": session,
    }


def reply(row: SandboxInbound) -> dict[str, Any]:
    """Return a row of the replies."""
    return {
        "ExtendCode": row.extension,
        "CountryCode": "86",
        "PhoneNumber": f"+86{row.msisdn}",
        "SignName": "信使",
        "ReplyContent": row.text,
        "ReplyTime": int(row.at),
        "SubscriberNumber": row.msisdn,
    }


def package(number: int, amount: int, used: int, since: float, seconds: float) -> dict[str, Any]:
    """Return a package of texts that is valid for so many seconds."""
    return {
        "PackageCreateTime": format_beijing(since),
        "PackageEffectiveTime": format_beijing(since),
        "PackageExpiredTime": format_beijing(since + seconds),
        "PackageAmount": amount,
        "PackageType": 1,
        "PackageId": number,
        "CurrentUsage": used,
    }
