"""Speaks to the personal Fetion gateway of document 000: one form, one JSON answer, no reads.

Public code of the library behind the gateway shows more: it logs in, posts one group message and
logs out at each call, so calls are made one at a time; numbers that are not friends of the sender
are dropped in silence; and any answer that the library could not read becomes the number -1, which
therefore proves nothing.
"""

from datetime import datetime
from functools import cached_property
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
from worker.gateways.formats.forms import Endpoint, encode_form, join_numbers
from worker.gateways.formats.non_answers import http_failure, unreadable_result
from worker.gateways.formats.values import decode, read_word, tidy_words
from worker.gateways.results import Result, Results

#: The longest text that keeps a URL under the 64 KiB that httpx carries, at 9 bytes for a Chinese
#: character.
_MAX_URL_TEXT = 5000


class FetionSettings(AccountSettings):
    """A person's Fetion login. `base_url` has no default: a stranger's host sees the login."""

    LOGIN_FIELD: ClassVar[str] = "sender"

    #: The sender is somebody's own phone, so only calls that name the account use it.
    classes: frozenset[MessageClass] | None = frozenset()
    #: Each call is a login and a logout of the same person.
    concurrency: Annotated[int, Field(ge=1, le=AccountSettings.MAX_CONCURRENCY)] = 1
    timeout: Annotated[Duration, Field(gt=0, le=120)] = 30.0
    #: The sender's own number (`from` in the configuration and on the wire).
    sender: Annotated[str, Field(alias="from"), AfterValidator(normalise)]
    password: Secret
    method: Literal["POST", "GET"] = "POST"


class Fetion(Gateway):
    """An account by document 000: `from`, `pswd`, `to` (none to oneself, else a list), `msg`."""

    name = "fetion"
    Settings = FetionSettings
    codes = CodeTable.load(name)
    settings: FetionSettings

    def __init__(self, settings: FetionSettings) -> None:
        super().__init__(settings)
        self._sender = settings.sender
        self._endpoint = Endpoint(httpx.URL(f"{settings.base_url}/"), settings.method)
        # Document 000 takes several numbers and says that how many was never tested.
        self._capabilities = Capabilities(
            batch_cap=settings.max_batch or 1,
            longest=_MAX_URL_TEXT if settings.method == "GET" else None,
        )

    @cached_property
    def _login(self) -> str:
        password = self.settings.password.get_secret_value()
        return encode_form({"from": self._sender, "pswd": password})

    @property
    def capabilities(self) -> Capabilities:
        """UTF-8 texts to mobiles, one in a submission unless `max_batch` says otherwise."""
        return self._capabilities

    def problems(self, content: Content) -> list[Problem]:
        """Refuse options, templates and extensions: document 000 has none."""
        return [
            *content_limits.unknown_option_problems(self.name, content.options, ()),
            *content_limits.template_problems(self.name, content),
            *content_limits.extension_problems(self.name, content),
        ]

    def submit_request(self, submission: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build the one call of document 000 (1)."""
        to_oneself = submission.msisdns == (self._sender,)
        recipients = "" if to_oneself else f"&to={join_numbers(submission.msisdns)}"
        message = encode_form({"msg": submission.content.text})
        return self._endpoint.request(f"{self._login}{recipients}&{message}")

    def read_results(self, response: httpx.Response, submission: OutgoingSubmission) -> Results:
        """Read `sendCode`, a text or a number, and never `info` (document 000 (2)).

        One code speaks for all numbers.
        """
        return Results(http_failure(self.table, response) or self._result(response))

    def _result(self, response: httpx.Response) -> Result:
        text = decode(response.content, "utf-8", "gbk")
        try:
            answer = json_reader.parse(text)
        except ValueError:
            answer = None
        code = read_word(answer.get("sendCode")) if isinstance(answer, dict) else ""
        if not code:
            return unreadable_result(self.table, text)
        return self.table.read(code, tidy_words(answer.get("info")))
