"""Find the renderings by which accounts can send a template, for one claim or one transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from worker.domain.renderings import Rendering, TemplateKey
from worker.store.templates import usable


@dataclass
class TemplateForms:
    """The usable renderings of the templates that were asked for, read once each."""

    _renderings: dict[TemplateKey, list[Rendering]] = field(default_factory=dict)

    def by_account(
        self,
        connection: Connection,
        template: TemplateKey,
        barred: Collection[int | str] = (),
        values: Mapping[str, str] | None = None,
    ) -> dict[str, Rendering]:
        """Return the rendering that each account would use: the first that can be used.

        One is left out that is barred, or that cannot take `values`, which all messages share; with
        None each message has its own, and `write_ahead` looks at these.
        """
        if template not in self._renderings:
            self._renderings[template] = usable.usable(connection, *template)
        by_account: dict[str, Rendering] = {}
        for rendering in self._renderings[template]:
            if rendering.binding_id in barred:
                continue
            if values is not None and rendering.problems(values):
                continue
            by_account.setdefault(rendering.account, rendering)
        return by_account
