"""The web process: the HTTP API, the pushes that gateways send, and whatever else is served.

The shape, for whoever adds a route:

- `app.create(settings)` returns the application. It makes one `AppContext` (`context.py`), keeps it
  in `app.state.context`, and includes the `router` of each module in `api/` and of the pages.
- `context.AppContext` is what all routes stand on: `settings`, `producer`, `engine`,
  `await context.run(f, …)` for whatever touches the database (the store is synchronous: never call
  it in the event loop), `context.ring(message_class)` after a commit. A route gets it as
  `context: Context`.
- `api/authentication.py`: who asks. `caller: Annotated[Caller, Depends(Allowed(Scope.SEND))]` lets
  a key with that scope in; `caller.sender` is the name under which it sends and whose messages it
  sees.
- `problems.py`: every error is a problem+json document (RFC 9457) that names the field. Raise what
  `worker.domain.errors` has, or `problems.HttpProblem` for what only HTTP knows;
  `problems.responses(404, …)` says in OpenAPI which ones a route may answer.
- `body_limits.py` bounds what comes in by size and by time, before any route sees it.
- `server.py`: `serve(settings)` listens until TERM. `python -m producer.web` and `xinshi web`
  are that; `xinshi up` starts it beside the workers.
- Tests stand in `tests/web/`: `served` is a running application and a client of it (see
  `tests/web/conftest.py`), `live` a process of its own.

It imports use cases and the store, never the Celery app, its tasks, or what they run.
"""
