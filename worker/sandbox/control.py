"""Serves the control endpoint, by which a test or a person commands the sandbox, in JSON."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from worker.sandbox import pushes
from worker.sandbox.engine import SandboxEngine
from worker.sandbox.exchange import SandboxAnswer, SandboxRequest
from worker.sandbox.side import Side
from worker.sandbox.world import PushTarget, ReportGroup, SandboxAccount, SandboxInbound

Route = Callable[[SandboxEngine, dict[str, Any]], dict[str, Any]]


def respond(
    engine: SandboxEngine, method: str, path: str, request: SandboxRequest
) -> SandboxAnswer:
    """Carry out a control call; 400 says what was wrong with it, 404 lists the calls there are."""
    route = ROUTES.get((method, path))
    if route is None:
        routes = [" ".join(route_key) for route_key in sorted(ROUTES)]
        return _json({"error": f"no {method} /_control/{path}", "there is": routes}, 404)
    try:
        return _json(route(engine, _read_parameters(request)), 200)
    except (ValueError, TypeError, KeyError) as error:
        return _json({"error": f"{type(error).__name__}: {error}"}, 400)


def _json(body: Mapping[str, Any], status: int) -> SandboxAnswer:
    encoded = json.dumps(body, ensure_ascii=False, default=list).encode()
    return SandboxAnswer("-", encoded, "application/json; charset=utf-8", status)


def _read_parameters(request: SandboxRequest) -> dict[str, Any]:
    """Return the parameters in the query and in the JSON body; the body wins."""
    query = {name: values[-1] for name, values in parse_qs(request.query.decode()).items()}
    body = json.loads(request.body) if request.body else {}
    if not isinstance(body, dict):
        msg = "send a JSON object"
        raise TypeError(msg)
    return query | body


def _side(engine: SandboxEngine, parameters: dict[str, Any]) -> Side:
    """Take `gateway` out of the parameters, and return its side."""
    name = parameters.pop("gateway", None)
    if name not in engine.sides:
        msg = f"gateway is one of {', '.join(sorted(engine.sides))}, not {name!r}"
        raise ValueError(msg)
    return engine.sides[name]


def _account(engine: SandboxEngine, side: Side, parameters: dict[str, Any]) -> SandboxAccount:
    """Take `account` out of the parameters; return that account, or the side's first without it."""
    name = parameters.pop("account", None)
    if name is None:
        name = side.accounts()[0].name
    account = engine.world.accounts.get((side.name, str(name)))
    if account is None:
        msg = f"{side.name} has no account {name!r}; open it by POST /_control/accounts"
        raise ValueError(msg)
    return account


def _add_rule(engine: SandboxEngine, parameters: dict[str, Any]) -> dict[str, Any]:
    gateway = parameters.get("gateway")
    if gateway is not None:
        _side(engine, {"gateway": gateway})
    return engine.rules.add(parameters, engine.clock()).as_json()


def _remove_rules(engine: SandboxEngine, parameters: dict[str, Any]) -> dict[str, Any]:
    rule_id = parameters.get("id")
    return {"removed": engine.rules.remove(None if rule_id is None else int(rule_id))}


def _rules(engine: SandboxEngine, _parameters: dict[str, Any]) -> dict[str, Any]:
    return {"rules": engine.rules.as_json()}


def _state(engine: SandboxEngine, _parameters: dict[str, Any]) -> dict[str, Any]:
    calls: dict[str, dict[str, dict[str, int]]] = {}
    for (gateway, call, code), count in sorted(engine.counts.items()):
        calls.setdefault(gateway, {}).setdefault(call, {})[code] = count
    taken_totals: dict[str, dict[str, dict[str, int]]] = {}
    for (gateway, name, pool), messages in sorted(engine.world.messages.items()):
        accounts = taken_totals.setdefault(gateway, {})
        totals = accounts.setdefault(name, {"messages": 0, "segments": 0})
        totals["messages"] += messages
        totals["segments"] += engine.world.segments[gateway, name, pool]
    return {
        "requests": sum(engine.counts.values()),
        "calls": calls,
        "taken": taken_totals,
        "waiting": engine.world.waiting(),
        "pushes": dict(engine.pusher.counts),
        "connections": {"open": len(engine.connections), "ever": engine.connection_count},
        "rules": engine.rules.as_json(),
        "options": {name: side.options for name, side in engine.sides.items()},
        "accounts": {
            name: [account.name for key, account in engine.world.accounts.items() if key[0] == name]
            for name in engine.sides
        },
        "seq": engine.ledger.seq,
    }


def _open_account(engine: SandboxEngine, parameters: dict[str, Any]) -> dict[str, Any]:
    """Open an account; `funds` is a number, or one for each pool."""
    side = _side(engine, parameters)
    default_account = side.accounts()[0]
    funds = _funds(parameters.pop("funds", None), default_account.funds)
    name = str(parameters.pop("account", default_account.name))
    password = str(parameters.pop("password", default_account.password))
    account = SandboxAccount(side.name, name, password, funds, **parameters)
    existing = engine.world.accounts.get((side.name, name))
    if existing is not None:
        account.pushes = existing.pushes
    engine.world.add(account, spent=False)
    return {"gateway": side.name, "account": name}


def _funds(funds: Any, default_funds: dict[str, int]) -> dict[str, int]:
    """Return the funds for each pool: as they are given, the same for all pools, or the default."""
    if funds is None:
        return default_funds
    return dict(funds) if isinstance(funds, dict) else dict.fromkeys(default_funds, int(funds))


def _set_options(engine: SandboxEngine, parameters: dict[str, Any]) -> dict[str, Any]:
    side = _side(engine, parameters)
    side.set_options(parameters)
    return side.options


def _set_push(engine: SandboxEngine, parameters: dict[str, Any]) -> dict[str, Any]:
    """Push an account's reports or inbound messages to a URL; without `url`, no longer."""
    side = _side(engine, parameters)
    account = _account(engine, side, parameters)
    kind = parameters.pop("kind", "report")
    if kind not in side.pushable:
        msg = f"{side.name} pushes {' and '.join(sorted(side.pushable)) or 'nothing'}, not {kind!r}"
        raise ValueError(msg)
    if not parameters.get("url"):
        account.pushes.pop(kind, None)
        return {"pushes": []}
    pushes.check_url(parameters["url"])
    target = PushTarget(**parameters)
    if target.form not in {"form", "json"} or target.method not in {"GET", "POST"}:
        msg = "form is form or json, method is GET or POST"
        raise ValueError(msg)
    account.pushes[kind] = target
    return {"pushes": sorted(account.pushes)}


def _reply(engine: SandboxEngine, parameters: dict[str, Any]) -> dict[str, Any]:
    """Let a handset text back."""
    side = _side(engine, parameters)
    account = _account(engine, side, parameters)
    _check_reaches_customer(side, account, "inbound")
    parameters.setdefault("at", engine.clock())
    parameters["extension"] = str(parameters.get("extension", ""))
    message = SandboxInbound(side.name, account.name, **parameters)
    engine.returns.inbound(side, account, message)
    return {"at": message.at}


def _report(engine: SandboxEngine, parameters: dict[str, Any]) -> dict[str, Any]:
    """Let reports arrive for `msisdns` or one `msisdn`, under any `id`, showing any time (`at`)."""
    side = _side(engine, parameters)
    account = _account(engine, side, parameters)
    _check_reaches_customer(side, account, "report")
    msisdns = parameters.pop("msisdns", None) or [parameters.pop("msisdn")]
    shown_time = parameters.pop("at", None)
    due = parameters.pop("due", engine.clock())
    status = parameters.pop("status", "delivered")
    identifier = str(parameters.pop("id", ""))
    extension = str(parameters.pop("extension", ""))
    _check_all_used(parameters)
    group = ReportGroup(
        side.name, account.name, list(msisdns), identifier, status, due, extension, shown_time
    )
    engine.returns.report(side, account, group)
    return {"reports": len(msisdns)}


def _check_reaches_customer(side: Side, account: SandboxAccount, kind: str) -> None:
    """Raise `ValueError` when the customer can neither pull nor be pushed this kind."""
    if kind not in side.pullable and kind not in account.pushes:
        msg = f"nobody can read it: {side.name} has no call for it"
        if kind in side.pushable:
            msg += ", and no push URL is set (POST /_control/push)"
        raise ValueError(msg)


def _check_all_used(parameters: dict[str, Any]) -> None:
    if parameters:
        msg = f"not understood: {', '.join(parameters)}"
        raise ValueError(msg)


def _forget(engine: SandboxEngine, _parameters: dict[str, Any]) -> dict[str, Any]:
    """Drop rules and what waits to be pulled; accounts, options and the ledger stay."""
    engine.rules.remove()
    engine.world.forget()
    return {}


#: What carries out each call, by method and path.
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
