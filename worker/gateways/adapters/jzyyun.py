"""Speaks to the gateway of document 004 (jzyyun.com and its resellers): a servlet's forms, or SOAP.

Its sections are named as the document numbers them: part one (HTTP) 1 to 5, part two (SOAP) 1 to 4.
Defaults are the document's (BASE64 password, GBK text); resellers run the same platform with clear
passwords, UTF-8, other paths and ports, as public client code shows, so these are settings.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import httpx
from pydantic import Field, field_validator

from worker.domain import segments
from worker.domain.enums import Reports
from worker.domain.errors import Problem
from worker.domain.secret_fields import Secret
from worker.gateways.account_settings import AccountSettings
from worker.gateways.adapters import jzyyun_pages
from worker.gateways.adapters.jzyyun_soap import (
    SoapEndpoint,
    SoapFault,
    damaged_return,
    fits_xml,
    read_return,
)
from worker.gateways.base import (
    Capabilities,
    Content,
    Gateway,
    OutgoingSubmission,
)
from worker.gateways.code_table import CodeTable
from worker.gateways.formats import content_limits
from worker.gateways.formats.forms import (
    Endpoint,
    encode,
    encode_form,
    join_numbers,
)
from worker.gateways.formats.non_answers import UNREADABLE, http_failure, unreadable_result
from worker.gateways.formats.values import (
    decode,
    read_word,
    strip_blanks,
    tidy_words,
)
from worker.gateways.results import (
    Balance,
    InboundMessage,
    Item,
    Page,
    Report,
    Result,
    Results,
)

_PATH = r"^/[!-~]*$"
_CODE = re.compile(r"[0-9]")
_SEPARATOR = re.compile(r"[;；]")
_END_OF_ID = re.compile(r"[\s;]")


class JzyyunSettings(AccountSettings):
    """An account at document 004's platform."""

    LOGIN_FIELD: ClassVar[str] = "username"
    LOGIN_FORMAT_FIELDS: ClassVar[tuple[str, ...]] = ("password_encoding", "path")

    base_url: str = "http://smsapi.jzyyun.com:9003"
    username: str
    password: Secret
    #: The pool that the account draws on: 0 card, 1 gateway, 2 member (the document prints `01,2`).
    smstype: Literal[0, 1, 2] = 1
    #: `isLongSms`; None sets it where the text has more than one segment.
    long_sms: bool | None = None
    transport: Literal["http", "soap"] = "http"
    charset: Literal["gbk", "utf-8"] = "gbk"
    password_encoding: Literal["base64", "clear"] = "base64"  # noqa: S105 - a way of writing
    #: Where reports and replies are read, when not at `base_url`: some resellers part them by port.
    report_base_url: str | None = None
    path: Annotated[str, Field(pattern=_PATH)] = "/servlet/UserServiceAPI"
    soap_path: Annotated[str, Field(pattern=_PATH)] = "/services/userApi"
    #: The WSDL's `targetNamespace`, which the document does not give: "" sends none.
    soap_namespace: str = ""
    #: Whether arguments stand in that namespace too (`elementFormDefault` in the WSDL).
    soap_qualified: bool = True
    #: A host in public client code takes the extension as a seventh argument; the document has six.
    soap_extension: bool = False

    @field_validator("report_base_url")
    @classmethod
    def _check_report_url(cls, url: str | None) -> str | None:
        return None if url is None else cls._check_http_url(url)


class Jzyyun(Gateway):
    """An account at document 004's gateway.

    Its calls: `sendSMS`, `getRestMoney`, `getSmsReport`, `getRecvSMS`, `updatePassword`.
    """

    name = "jzyyun"
    Settings = JzyyunSettings
    codes = CodeTable.load(name)
    settings: JzyyunSettings

    def __init__(self, settings: JzyyunSettings) -> None:
        super().__init__(settings)
        self._charset = settings.charset
        self._http, self._http_reports = (
            Endpoint(httpx.URL(f"{base_url}{settings.path}")) for base_url in _base_urls(settings)
        )
        self._soap, self._soap_reports = (
            SoapEndpoint(
                httpx.URL(f"{base_url}{settings.soap_path}"),
                settings.soap_namespace,
                qualified=settings.soap_qualified,
            )
            for base_url in _base_urls(settings)
        )
        self._over_soap = settings.transport == "soap"
        self._charsets = ("gbk", "utf-8") if settings.charset == "gbk" else ("utf-8", "gbk")
        self._capabilities = Capabilities(
            batch_cap=20_000,
            # SOAP travels in UTF-8, but the platform behind it is the same: what its charset lacks
            # would arrive as question marks.
            charset=settings.charset,
            extension=settings.soap_extension or not self._over_soap,
            reports=frozenset({Reports.PULL}),
            inbound=True,
            balance=True,
        )

    @cached_property
    def _login(self) -> dict[str, str]:
        return {"username": self.settings.username, "password": _password(self.settings)}

    @cached_property
    def _form_login(self) -> str:
        return encode_form(self._login, self._charset)

    @property
    def capabilities(self) -> Capabilities:
        """20,000 mobiles in a submission (part one, 1); reports and replies by pull."""
        return self._capabilities

    def problems(self, content: Content) -> list[Problem]:
        """Check the options `smstype` and `long_sms`, the extension, and what XML can hold."""
        problems = [
            *content_limits.unknown_option_problems(
                self.name, content.options, ("smstype", "long_sms")
            ),
            *content_limits.template_problems(self.name, content),
            *content_limits.extension_digit_problems(content),
        ]
        if not self._capabilities.extension:
            problems.extend(content_limits.extension_problems("its SOAP service", content))
        if read_word(content.options.get("smstype", 0)) not in {"0", "1", "2"}:
            problems.append(Problem("options.smstype", "is 0 (card), 1 (gateway) or 2 (member)"))
        if not isinstance(content.options.get("long_sms", False), bool):
            problems.append(Problem("options.long_sms", "is true or false"))
        if self._over_soap and not fits_xml(content.text):
            problems.append(Problem("text", "holds control characters, which XML cannot carry"))
        return problems

    def submit_request(self, submission: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build a `sendSMS` call (part one, 1), or `sendSms` over SOAP (part two, 1)."""
        content = submission.content
        extension = content.extension if self._capabilities.extension else None
        smstype = read_word(content.options.get("smstype", self.settings.smstype))
        is_long = str(int(self._is_long(content)))
        if self._over_soap:
            arguments = self._login | {
                "smstype": smstype,
                "content": content.text,
                "mobile": ",".join(submission.msisdns),
                "isLongSms": is_long,
            }
            optional = {"extenno": extension or ""} if self.settings.soap_extension else {}
            return self._soap.request("sendSms", arguments | optional)
        call_fields = f"method=sendSMS&isLongSms={is_long}&{self._form_login}&smstype={smstype}"
        extension_field = f"&{encode_form({'extenno': extension})}" if extension else ""
        text = encode_form({"content": content.text}, self._charset)
        return self._http.request(
            f"{call_fields}{extension_field}&mobile={join_numbers(submission.msisdns)}&{text}"
        )

    def read_results(self, response: httpx.Response, submission: OutgoingSubmission) -> Results:
        """Read `success;batch id`, the id missing over SOAP, or `failure;` and words.

        Part one, 1 and part two, 1. Failure texts are listed nowhere: the account's own codes may
        map them, else they are `unknown`.
        """
        text = self._answer_text(response)
        if isinstance(text, Result):
            return Results(text)
        verdict, batch_text = _split_answer(text)
        if verdict == "success":
            batch_id = read_word(_END_OF_ID.split(batch_text, maxsplit=1)[0])
            return Results(self.table.read(verdict, gateway_id=batch_id or None))
        return Results(self._refusal(text))

    def reports_request(self, at: datetime) -> httpx.Request:
        """Build a `getSmsReport` call (part one, 3; part two, 3)."""
        return self._read_request("getSmsReport", reports=True)

    def read_reports(self, response: httpx.Response) -> Page[Report]:
        """Read `psreport` rows; status 1 arrived, 0 did not, 2 is not known (part one, 3)."""
        return self._read_page(response, jzyyun_pages.read_reports)

    def inbound_request(self, at: datetime, hour: datetime | None = None) -> httpx.Request:
        """Build a `getRecvSMS` call (part one, 4; part two, 4); it knows no hours."""
        return self._read_request("getRecvSMS", reports=True)

    def read_inbound(self, response: httpx.Response) -> Page[InboundMessage]:
        """Read `psrerecv` rows; `content` is BASE64 of the charset's bytes (part one, 4)."""
        return self._read_page(
            response, lambda text: jzyyun_pages.read_inbound(text, self._charsets)
        )

    def balance_request(self, at: datetime) -> httpx.Request:
        """Build a `getRestMoney` call; the gateway refuses it when it comes often (public code)."""
        return self._read_request("getRestMoney")

    def read_balance(self, response: httpx.Response) -> Balance:
        """Read `memberSmsNum=…;gateSmsNum=…;kaSmsNum=…` by name, in texts (part one, 2)."""
        text = self._answer_text(response)
        if isinstance(text, Result):
            return Balance(refusal=text)
        pools = jzyyun_pages.read_pools(text, self.settings.smstype)
        return Balance(pools) if pools else Balance(refusal=self._refusal(text))

    def password_request(self, new_password: str) -> httpx.Request:
        """Build an `updatePassword` call: HTTP only, both passwords clear (part one, 5)."""
        change = {
            "method": "updatePassword",
            "username": self.settings.username,
            "password": self.settings.password.get_secret_value(),
            "newPassword": new_password,
        }
        return self._http.request(encode_form(change, self._charset))

    def read_password(self, response: httpx.Response) -> Result:
        """Read 1 to 4 (part one, 5): the codes `updatePassword 1` to `updatePassword 4`."""
        failure = http_failure(self.table, response)
        if failure:
            return failure
        text = strip_blanks(decode(response.content, *self._charsets))
        if _CODE.fullmatch(text):
            return self.table.read(f"updatePassword {text}")
        return self._refusal(text)

    def _is_long(self, content: Content) -> bool:
        """Tell whether `isLongSms` is set: by the option, the setting, or the text's segments."""
        long_sms = content.options.get("long_sms", self.settings.long_sms)
        if long_sms is None:
            return segments.count(content.text, self.settings.added_signature) > 1
        return bool(long_sms)

    def _read_request(self, method: str, *, reports: bool = False) -> httpx.Request:
        """Build a call that only reads; `reports` sends it to where reports are read."""
        if self._over_soap:
            return (self._soap_reports if reports else self._soap).request(method, self._login)
        endpoint = self._http_reports if reports else self._http
        return endpoint.request(f"method={method}&{self._form_login}")

    def _read_page(
        self, response: httpx.Response, read: Callable[[str], Page[Item] | None]
    ) -> Page[Item]:
        """Read a page's rows; of a page in a damaged envelope those that are whole."""
        text = self._answer_text(response)
        if not isinstance(text, Result):
            return read(text) or Page(refusal=self._refusal(text))
        page = None
        if self._over_soap and text.code == UNREADABLE:
            page = read(damaged_return(decode(response.content, "utf-8", "gbk")))
        return page if page and (page.items or page.damaged) else Page(refusal=text)

    def _answer_text(self, response: httpx.Response) -> str | Result:
        """Return the text of an answer, by form or SOAP, or the result of one without a text."""
        failure = http_failure(self.table, response)
        if not self._over_soap:
            return failure or strip_blanks(decode(response.content, *self._charsets))
        text = decode(response.content, "utf-8", "gbk")
        try:
            value = read_return(text)
        except SoapFault as fault:
            code = failure.code if failure else "SOAP fault"
            return self.table.read(code, tidy_words(str(fault)))
        except ValueError:
            return failure or unreadable_result(self.table, text)
        return failure or strip_blanks(value)

    def _refusal(self, text: str) -> Result:
        """Read `failure;` and words: by the account's codes, else by the code `failure;words`."""
        verdict, words = _split_answer(text)
        if verdict != "failure":
            return unreadable_result(self.table, text)
        result = self.table.read(verdict, tidy_words(words))
        mapped_code = f"failure;{result.words}"
        if result.mapped or mapped_code not in self.codes.meanings:
            return result
        return self.table.read(mapped_code, result.words)


def _split_answer(text: str) -> tuple[str, str]:
    """Return the text before the first `;`, in lower case, and the text behind it."""
    verdict, *remainder = _SEPARATOR.split(text, maxsplit=1)
    return strip_blanks(verdict).lower(), strip_blanks("".join(remainder))


def _base_urls(settings: JzyyunSettings) -> tuple[str, str]:
    """Return where texts are sent, and where reports and replies are read."""
    return settings.base_url, settings.report_base_url or settings.base_url


def _password(settings: JzyyunSettings) -> str:
    secret: Any = settings.password.get_secret_value()
    if settings.password_encoding == "clear":  # noqa: S105 - a way of writing, no password
        return str(secret)
    return b64encode(encode(secret, settings.charset)).decode("ascii")
