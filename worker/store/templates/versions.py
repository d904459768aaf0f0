"""Read and write the versions of templates; none of them ever changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from worker.domain.enums import MessageClass
from worker.domain.errors import Unavailable
from worker.domain.renderings import ValueLimits
from worker.store import events
from worker.store.db.clock import now
from worker.store.db.dialects import insert_new
from worker.store.schema.tables import template

#: How often a version is tried to be added whose number others take at the same moment.
MAX_ADD_TRIES = 20


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A version of a template."""

    id: int
    key: str
    version: int
    message_class: MessageClass
    #: The text without its signature, with `{name}` for each value.
    body: str
    limits: Mapping[str, ValueLimits]
    created_at: datetime
    who: str

    def is_same(
        self, message_class: MessageClass, body: str, limits: Mapping[str, ValueLimits]
    ) -> bool:
        """Tell whether a text of this class and with these limits is this version."""
        return (self.message_class, self.body) == (message_class, body) and (
            stored_limits(self.limits) == stored_limits(limits)
        )


def stored_limits(limits: Mapping[str, ValueLimits]) -> dict[str, Any] | None:
    """Return the limits of values as they are stored; None when there are none."""
    rules = {name: value_limits.to_json() for name, value_limits in sorted(limits.items())}
    return {name: rule for name, rule in rules.items() if rule} or None


def read_limits(stored: Mapping[str, Mapping[str, Any]] | None) -> dict[str, ValueLimits]:
    """Return the limits of values that are stored so."""
    return {name: ValueLimits.from_json(rule) for name, rule in (stored or {}).items()}


def version_from(row: Any) -> TemplateVersion:
    """Return the version that a row of the table holds."""
    return TemplateVersion(
        row.id,
        row.key,
        row.version,
        MessageClass(row.message_class),
        row.body,
        read_limits(row.limits),
        row.created_at,
        row.who,
    )


def add(
    connection: Connection,
    key: str,
    message_class: MessageClass,
    body: str,
    limits: Mapping[str, ValueLimits],
    who: str,
) -> tuple[TemplateVersion, bool]:
    """Add the next version of a template; return it, and whether it is new.

    When the newest version is equal, nothing is written and that one is returned. Of callers at the
    same moment each gets a version of its own, or the equal one. Raises `Unavailable` when others
    take every number first.
    """
    for _ in range(MAX_ADD_TRIES):
        latest = newest(connection, key)
        if latest is not None and latest.is_same(message_class, body, limits):
            return latest, False
        version = 1 if latest is None else latest.version + 1
        values = {
            "key": key,
            "version": version,
            "message_class": message_class.value,
            "body": body,
            "limits": stored_limits(limits),
            "created_at": now(),
            "who": who[:64],
        }
        if insert_new(connection, template, values):
            added = find(connection, key, version)
            if added is not None:
                detail = {"template": key, "version": version, "class": message_class.value}
                events.add(connection, "template.added", who, detail=detail)
                return added, True
    msg = f"others are adding versions of the template {key} at this moment; repeat the call"
    raise Unavailable(msg)


def newest(connection: Connection, key: str) -> TemplateVersion | None:
    """Return the newest version of a template, usable or not; None when the key is unknown."""
    query = select(template).where(template.c.key == key)
    row = connection.execute(query.order_by(template.c.version.desc()).limit(1)).first()
    return None if row is None else version_from(row)


def find(connection: Connection, key: str, version: int) -> TemplateVersion | None:
    """Return one version of a template; None when there is none."""
    return next(
        iter(_select(connection, template.c.key == key, template.c.version == version)), None
    )


def find_by_id(connection: Connection, template_id: int) -> TemplateVersion | None:
    """Return the version of an id; None when there is none."""
    return next(iter(_select(connection, template.c.id == template_id)), None)


def versions_of(connection: Connection, key: str) -> list[TemplateVersion]:
    """Return all versions of a template, the oldest first; [] when the key is unknown."""
    return _select(connection, template.c.key == key)


def list_newest(connection: Connection) -> list[TemplateVersion]:
    """Return the newest version of each template, in the order of their keys."""
    latest = select(template.c.key, func.max(template.c.version).label("version"))
    of_key = latest.group_by(template.c.key).subquery()
    rows = connection.execute(
        select(template)
        .join(of_key, (of_key.c.key == template.c.key) & (of_key.c.version == template.c.version))
        .order_by(template.c.key)
    )
    return [version_from(row) for row in rows]


def keys(connection: Connection) -> list[str]:
    """Return the keys of all templates, in their order."""
    query = select(template.c.key).distinct().order_by(template.c.key)
    return list(connection.execute(query).scalars())


def lock(connection: Connection, template_id: int) -> None:
    """Lock a version until the transaction ends, so that whoever binds it takes turns."""
    connection.execute(select(template.c.id).where(template.c.id == template_id).with_for_update())


def _select(connection: Connection, *conditions: ColumnElement[bool]) -> list[TemplateVersion]:
    query = select(template).where(*conditions).order_by(template.c.key, template.c.version)
    return [version_from(row) for row in connection.execute(query)]
