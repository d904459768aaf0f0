"""How accounts can send a registered template, and what does not fit it. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from worker.config.settings import Settings
from worker.domain.enums import Carrier, MessageClass, NumberKind
from worker.domain.errors import Problem
from worker.domain.renderings import Rendering, TemplateKey
from worker.gateways import contents
from worker.gateways.base import Account, Content
from worker.policy import eligibility
from worker.policy.eligibility import RoutingQuery
from worker.store.templates.usable import RegisteredTemplate


def key_of(registered: RegisteredTemplate | None) -> TemplateKey | None:
    """Return what the version of a registered template is called; None for none."""
    if registered is None:
        return None
    return TemplateKey(registered.template.key, registered.template.version)


def content_of(registered: RegisteredTemplate, content: Content) -> Content:
    """Return the content of a request that names a registered template: the body is its text."""
    values = {name: str(value) for name, value in content.variables.items()}
    return Content(
        registered.template.body, content.extension, None, values, options=content.options
    )


def routing_query(
    registered: RegisteredTemplate | None,
    content: Content,
    message_class: MessageClass,
    account: str | None,
    kinds: Collection[NumberKind],
    carrier: Carrier | None = None,
) -> RoutingQuery:
    """Return the query by which a worker would look for an account for a single message now."""
    renderings: dict[str, Rendering] | None = None
    if registered is not None:
        renderings = {}
        for rendering in registered.renderings:
            if not rendering.problems(content.variables):
                renderings.setdefault(rendering.account, rendering)
    return RoutingQuery(
        message_class,
        content,
        kinds,
        datetime.now(UTC),
        account,
        single=True,
        carrier=carrier,
        renderings=renderings,
    )


def terms_problems(
    registered: RegisteredTemplate, text: str, message_class: MessageClass
) -> list[Problem]:
    """Return what does not belong to a registered template: a text, or another class."""
    problems = []
    if text:
        problems.append(Problem("text", "belongs to the template; leave it out"))
    template_class = registered.template.message_class
    if message_class is not template_class:
        what = f"is {message_class.value}, and the template's is {template_class.value}"
        problems.append(Problem("message_class", what))
    return problems


class Forms:
    """How accounts can send a template to recipients of some kinds, value by value."""

    def __init__(
        self,
        settings: Settings,
        content: Content,
        renderings: Sequence[Rendering],
        kinds: Collection[NumberKind],
        message_class: MessageClass,
        *,
        by_row: bool = False,
    ) -> None:
        """With `by_row` each recipient has values of its own."""
        #: The values that all messages share; None where each has its own.
        self.shared_values = None if by_row else content.variables
        self._content = content
        self._kinds = kinds
        self._message_class = message_class
        self._pairs: list[tuple[Account, Rendering]] = [
            (settings.accounts[rendering.account], rendering)
            for rendering in renderings
            if rendering.account in settings.accounts
        ]

    @property
    def accounts(self) -> list[Account]:
        """The accounts that can send it at all."""
        return list({account.name: account for account, _ in self._pairs}.values())

    @property
    def signature(self) -> str:
        """The longest signature that any of them puts before it."""
        signatures = (
            f"【{rendering.signature}】"
            if rendering.signature
            else account.settings.added_signature
            for account, rendering in self._pairs
        )
        return max(signatures, key=len, default="")

    def problems(self, values: Mapping[str, str]) -> list[Problem]:
        """Return why no account can send these values; [] when one can."""
        all_problems: list[Problem] = []
        for account in self.accounts:
            problems = self.account_problems(account, values)
            if not problems:
                return []
            all_problems += problems
        return list(dict.fromkeys(all_problems))

    def account_problems(self, account: Account, values: Mapping[str, str] | None) -> list[Problem]:
        """Return why an account can send values by none of its bindings; [] when it can.

        With None each recipient has its own, and these are looked at with the recipient.
        """
        all_problems: list[Problem] = []
        for other, rendering in self._pairs:
            if other is not account:
                continue
            problems = [] if values is None else rendering.problems(values)
            if not problems:
                content = contents.rendered(self._content, rendering, values)
                problems = eligibility.problems(account, content, self._kinds, self._message_class)
            if not problems:
                return []
            all_problems += problems
        return all_problems
