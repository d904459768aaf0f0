"""The personal Fetion gateway of document 000: one form, one JSON answer, nothing to collect.

Public code of the library behind it adds: it logs in, posts one group message and logs out at each
call, so calls are made one at a time; numbers that are not friends of the sender are dropped in
silence; and whatever it could not read becomes the number -1, which therefore proves nothing.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import httpx
from pydantic import AfterValidator, Field

from worker.domain.durations import Duration
from worker.domain.enums import MessageClass
from worker.domain.errors import Problem
from worker.domain.msisdn import normalise
from worker.domain.secret_fields import Secret
from worker.gateways.account_settings import AccountSettings
from worker.gateways.base import (
    Capabilities,
    Content,
    Gateway,
    OutgoingSubmission,
)
from worker.gateways.code_table import CodeTable
from worker.gateways.formats import content_limits, json_reader
from worker.gateways.formats.forms import Endpoint, form, numbers
from worker.gateways.formats.non_answers import failure, unreadable
from worker.gateways.formats.values import decoded, tidy, word
from worker.gateways.results import Result, Results


class FetionSettings(AccountSettings):
    """A person's Fetion login. `base_url` has no default: it is a stranger's host and gets it."""

    LOGIN: ClassVar[str] = "sender"

    #: It is somebody's own phone: nothing goes this way unless a call names the account.
    classes: frozenset[MessageClass] | None = frozenset()
    #: Each call is a login and a logout of the same person.
    concurrency: Annotated[int, Field(ge=1, le=AccountSettings.MAX_CONCURRENCY)] = 1
    timeout: Annotated[Duration, Field(gt=0, le=120)] = 30.0
    #: The sender's own number (`from` in the configuration and on the wire).
    sender: Annotated[str, Field(alias="from"), AfterValidator(normalise)]
    password: Secret
    method: Literal["POST", "GET"] = "POST"


class Fetion(Gateway):
    """Document 000: `from`, `pswd`, `to` (left out to oneself; commas between several), `msg`."""

    name = "fetion"
    Settings = FetionSettings
    codes = CodeTable.load(name)

    def __init__(self, settings: FetionSettings) -> None:
        super().__init__(settings)
        self._sender = settings.sender
        self._endpoint = Endpoint(httpx.URL(f"{settings.base_url}/"), settings.method)
        login = {"from": settings.sender, "pswd": settings.password.get_secret_value()}
        self._login = form(login)
        # Document 000 takes several numbers and says that their most was never tested.
        self._capabilities = Capabilities(
            batch_cap=settings.max_batch or 1,
            longest=_LONGEST_IN_URL if settings.method == "GET" else None,
        )

    @property
    def capabilities(self) -> Capabilities:
        """UTF-8 texts to mobiles, one in a submission unless `max_batch` says otherwise."""
        return self._capabilities

    def problems(self, content: Content) -> list[Problem]:
        """Refuse options, templates and extensions: document 000 has none."""
        return [
            *content_limits.unknown_options(self.name, content.options, ()),
            *content_limits.no_template(self.name, content),
            *content_limits.no_extension(self.name, content),
        ]

    def submit_request(self, parcel: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build the one call of document 000 (1)."""
        to = "" if parcel.msisdns == (self._sender,) else f"&to={numbers(parcel.msisdns)}"
        return self._endpoint.request(f"{self._login}{to}&{form({'msg': parcel.content.text})}")

    def read_results(self, response: httpx.Response, parcel: OutgoingSubmission) -> Results:
        """Read `sendCode`, a text or a number, and never `info` (document 000 (2)).

        One code speaks for all numbers.
        """
        return Results(failure(self.table, response) or self._result(response))

    def _result(self, response: httpx.Response) -> Result:
        text = decoded(response.content, "utf-8", "gbk")
        try:
            answer = json_reader.read(text)
        except ValueError:
            answer = None
        code = word(answer.get("sendCode")) if isinstance(answer, dict) else ""
        if not code:
            return unreadable(self.table, text)
        return self.table.read(code, tidy(answer.get("info")))


#: Where a URL is kept under the 64 KiB that httpx carries, at 9 bytes for a Chinese character.
_LONGEST_IN_URL = 5000
