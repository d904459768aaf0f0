"""The control endpoint: how a test or a person tells the sandbox what to do, in JSON."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from worker.sandbox import pushes
from worker.sandbox.exchange import Answer, Request
from worker.sandbox.side import Side
from worker.sandbox.world import Account, Batch, Inbound, Push

if TYPE_CHECKING:
    from worker.sandbox.engine import Engine

Route = Callable[["Engine", dict[str, Any]], dict[str, Any]]


def answer(engine: "Engine", method: str, path: str, request: Request) -> Answer:
    """Do what is asked; 400 says what was wrong with it, 404 lists what can be asked."""
    route = ROUTES.get((method, path))
    if route is None:
        known = [" ".join(key) for key in sorted(ROUTES)]
        return _json({"error": f"no {method} /_control/{path}", "there is": known}, 404)
    try:
        return _json(route(engine, _asked(request)), 200)
    except (ValueError, TypeError, KeyError) as error:
        return _json({"error": f"{type(error).__name__}: {error}"}, 400)


def _json(body: Mapping[str, Any], status: int) -> Answer:
    written = json.dumps(body, ensure_ascii=False, default=list).encode()
    return Answer("-", written, "application/json; charset=utf-8", status)


def _asked(request: Request) -> dict[str, Any]:
    query = {name: values[-1] for name, values in parse_qs(request.query.decode()).items()}
    body = json.loads(request.body) if request.body else {}
    if not isinstance(body, dict):
        msg = "send a JSON object"
        raise TypeError(msg)
    return query | body


def _side(engine: "Engine", asked: dict[str, Any]) -> Side:
    name = asked.pop("gateway", None)
    if name not in engine.sides:
        msg = f"gateway is one of {', '.join(sorted(engine.sides))}, not {name!r}"
        raise ValueError(msg)
    return engine.sides[name]


def _account(engine: "Engine", side: Side, asked: dict[str, Any]) -> Account:
    name = asked.pop("account", None)
    if name is None:
        name = side.accounts()[0].name
    account = engine.world.accounts.get((side.name, str(name)))
    if account is None:
        msg = f"{side.name} has no account {name!r}; open it by POST /_control/accounts"
        raise ValueError(msg)
    return account


def _add_rule(engine: "Engine", asked: dict[str, Any]) -> dict[str, Any]:
    gateway = asked.get("gateway")
    if gateway is not None:
        _side(engine, {"gateway": gateway})
    return engine.rules.add(asked, engine.clock()).shown()


def _remove_rules(engine: "Engine", asked: dict[str, Any]) -> dict[str, Any]:
    wanted = asked.get("id")
    return {"removed": engine.rules.remove(None if wanted is None else int(wanted))}


def _rules(engine: "Engine", _asked: dict[str, Any]) -> dict[str, Any]:
    return {"rules": engine.rules.shown()}


def _state(engine: "Engine", _asked: dict[str, Any]) -> dict[str, Any]:
    calls: dict[str, dict[str, dict[str, int]]] = {}
    for (gateway, call, code), times in sorted(engine.counts.items()):
        calls.setdefault(gateway, {}).setdefault(call, {})[code] = times
    taken: dict[str, dict[str, dict[str, int]]] = {}
    for (gateway, name, pool), messages in sorted(engine.world.messages.items()):
        figures = taken.setdefault(gateway, {}).setdefault(name, {"messages": 0, "segments": 0})
        figures["messages"] += messages
        figures["segments"] += engine.world.segments[gateway, name, pool]
    return {
        "requests": sum(engine.counts.values()),
        "calls": calls,
        "taken": taken,
        "waiting": engine.world.waiting(),
        "pushes": dict(engine.pusher.counts),
        "connections": {"open": len(engine.lines), "ever": engine.connections},
        "rules": engine.rules.shown(),
        "options": {name: side.options for name, side in engine.sides.items()},
        "accounts": {
            name: [account.name for key, account in engine.world.accounts.items() if key[0] == name]
            for name in engine.sides
        },
        "seq": engine.ledger.seq,
    }


def _open_account(engine: "Engine", asked: dict[str, Any]) -> dict[str, Any]:
    """Open an account; `funds` is a number, or one for each pool."""
    side = _side(engine, asked)
    known = side.accounts()[0]
    given = asked.pop("funds", None)
    funds = known.funds
    if given is not None:
        funds = dict(given) if isinstance(given, dict) else dict.fromkeys(funds, int(given))
    name = str(asked.pop("account", known.name))
    password = str(asked.pop("password", known.password))
    account = Account(side.name, name, password, funds, **asked)
    old = engine.world.accounts.get((side.name, name))
    if old is not None:
        account.pushes = old.pushes
    engine.world.add(account, spent=False)
    return {"gateway": side.name, "account": name}


def _set_options(engine: "Engine", asked: dict[str, Any]) -> dict[str, Any]:
    side = _side(engine, asked)
    side.set_options(asked)
    return side.options


def _set_push(engine: "Engine", asked: dict[str, Any]) -> dict[str, Any]:
    """Push an account's reports or inbound messages to a URL; without `url`, no longer."""
    side = _side(engine, asked)
    account = _account(engine, side, asked)
    kind = asked.pop("kind", "report")
    if kind not in side.pushed:
        msg = f"{side.name} pushes {' and '.join(sorted(side.pushed)) or 'nothing'}, not {kind!r}"
        raise ValueError(msg)
    if not asked.get("url"):
        account.pushes.pop(kind, None)
        return {"pushes": []}
    pushes.check(asked["url"])
    push = Push(**asked)
    if push.form not in {"form", "json"} or push.method not in {"GET", "POST"}:
        msg = "form is form or json, method is GET or POST"
        raise ValueError(msg)
    account.pushes[kind] = push
    return {"pushes": sorted(account.pushes)}


def _reply(engine: "Engine", asked: dict[str, Any]) -> dict[str, Any]:
    """A handset texts back."""
    side = _side(engine, asked)
    account = _account(engine, side, asked)
    _can_bring(side, account, "inbound")
    asked.setdefault("at", engine.clock())
    asked["extension"] = str(asked.get("extension", ""))
    inbound = Inbound(side.name, account.name, **asked)
    engine.returns.inbound(side, account, inbound)
    return {"at": inbound.at}


def _report(engine: "Engine", asked: dict[str, Any]) -> dict[str, Any]:
    """A report arrives: for `msisdns` or one `msisdn`, under any `id`, showing any time (`at`)."""
    side = _side(engine, asked)
    account = _account(engine, side, asked)
    _can_bring(side, account, "report")
    msisdns = asked.pop("msisdns", None) or [asked.pop("msisdn")]
    shown = asked.pop("at", None)
    due = asked.pop("due", engine.clock())
    status = asked.pop("status", "delivered")
    identifier = str(asked.pop("id", ""))
    extension = str(asked.pop("extension", ""))
    _nothing_left(asked)
    batch = Batch(side.name, account.name, list(msisdns), identifier, status, due, extension, shown)
    engine.returns.report(side, account, batch)
    return {"reports": len(msisdns)}


def _can_bring(side: Side, account: Account, kind: str) -> None:
    if kind not in side.pulled and kind not in account.pushes:
        msg = f"nobody can read it: {side.name} has no call for it"
        if kind in side.pushed:
            msg += ", and no push URL is set (POST /_control/push)"
        raise ValueError(msg)


def _nothing_left(asked: dict[str, Any]) -> None:
    if asked:
        msg = f"not understood: {', '.join(asked)}"
        raise ValueError(msg)


def _forget(engine: "Engine", _asked: dict[str, Any]) -> dict[str, Any]:
    """Drop rules and what waits to be pulled; accounts, options and the ledger stay."""
    engine.rules.remove()
    engine.world.forget()
    return {}


ROUTES: Mapping[tuple[str, str], Route] = {
    ("GET", "state"): _state,
    ("GET", "rules"): _rules,
    ("POST", "rules"): _add_rule,
    ("DELETE", "rules"): _remove_rules,
    ("POST", "accounts"): _open_account,
    ("POST", "options"): _set_options,
    ("POST", "push"): _set_push,
    ("POST", "reply"): _reply,
    ("POST", "report"): _report,
    ("POST", "forget"): _forget,
}
