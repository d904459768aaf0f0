"""`xinshi opt-out`: opt numbers out and in, see why, and import and export the list."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import list_options, opt_out_report, options, output, parsing
from producer.cli.groups import opt_out_group
from producer.cli.session import open_session, operator_name
from worker.domain.enums import OptOutScope, OptOutSource
from worker.domain.errors import Problem, Refused

if TYPE_CHECKING:
    from worker.store.feedback.opt_outs import OptOutOrigin

#: The sources that a person may name; the others are the program's to say.
_NAMED_SOURCES = (OptOutSource.PERSON, OptOutSource.COMPLAINT, OptOutSource.VENDOR)

_Numbers = Annotated[
    list[str], typer.Argument(metavar="NUMBER…", help="- reads them from standard input.")
]
_Why = Annotated[str, typer.Option("--why", help="The reason; the history keeps it.")]
_Evidence = Annotated[
    str | None, typer.Option("--evidence", metavar="TEXT", help="What proves it, as a ticket.")
]
_Source = Annotated[
    OptOutSource,
    typer.Option("--source", help="Where it came from: person, complaint or vendor."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(
        opt_out_group,
        'xinshi opt-out add 13812345678 --why "asked by telephone" --evidence "ticket 4711"',
        'xinshi opt-out add 13812345678 --scope all --why "number belongs to a stranger"',
    )(add)
    options.command(
        opt_out_group,
        'xinshi opt-out remove 13812345678 --why "subscribed again on the web site"',
        'xinshi opt-out remove 13812345678 --scope all --why "was a mistake"',
    )(remove)
    options.command(
        opt_out_group, "xinshi opt-out show 13812345678", "xinshi opt-out show - < number.txt"
    )(show)
    options.command(
        opt_out_group,
        "xinshi opt-out import unsubscribed.csv --dry-run",
        'xinshi opt-out import unsubscribed.csv --why "from the old system"',
        name="import",
    )(import_file)
    options.command(opt_out_group, "xinshi opt-out export --output opt-outs.csv", name="export")(
        export
    )
    options.command(opt_out_group, "xinshi opt-out suggestions")(suggestions)
    app.add_typer(opt_out_group)


def add(
    numbers: _Numbers,
    *,
    why: _Why,
    scope: Annotated[
        OptOutScope, typer.Option("--scope", help="What stops: marketing, or all, codes too.")
    ] = OptOutScope.MARKETING,
    source: _Source = OptOutSource.PERSON,
    evidence: _Evidence = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Opt numbers out: of marketing, or with --scope all of everything, codes too.

    Who has opted out already keeps that, unless it stops less. A campaign that runs leaves the
    numbers out from its next submission on.
    """
    if source not in _NAMED_SOURCES:
        msg = f"--source: choose one of {', '.join(_NAMED_SOURCES)}"
        raise typer.BadParameter(msg)
    msisdns = parsing.msisdns(numbers, "NUMBER")
    with open_session(config) as session:
        from worker.feedback import opt_out_list

        origin = _origin(why, evidence, source)
        changes = opt_out_list.add(session.engine, msisdns, scope, origin)
    if as_json:
        output.print_json(changes.as_json() | {"scope": scope.value})
    else:
        output.print_line(opt_out_report.changes_line(changes))


def remove(
    numbers: _Numbers,
    *,
    why: _Why,
    scope: Annotated[
        OptOutScope,
        typer.Option("--scope", help="all: an opt-out of everything, too."),
    ] = OptOutScope.MARKETING,
    evidence: _Evidence = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Take opt-outs back: these numbers get marketing again.

    An opt-out of everything stays unless --scope all is given. The history stays.
    """
    msisdns = parsing.msisdns(numbers, "NUMBER")
    with open_session(config) as session:
        from worker.feedback import opt_out_list

        origin = _origin(why, evidence)
        scopes = list(OptOutScope) if scope is OptOutScope.ALL else [scope]
        count = opt_out_list.remove(session.engine, msisdns, origin, scopes)
    if as_json:
        output.print_json({"removed": count, "kept": len(set(msisdns)) - count})
        return
    rest = len(set(msisdns)) - count
    kept = f"; {rest} had no opt-out that --scope {scope} takes back" if rest else ""
    output.print_line(f"{count} taken back{kept}")


def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="- reads it.")],
    *,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Show whether a number has opted out, of what, and all that became of it."""
    msisdn = parsing.msisdn(number, "NUMBER")
    with open_session(config) as session:
        from worker.feedback import opt_out_list

        shown = opt_out_list.show(session.engine, msisdn)
    if as_json:
        output.print_json(opt_out_report.history_json(shown))
    else:
        opt_out_report.print_history(shown)


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, .xlsx, or a number a line.")],
    *,
    why: _Why = "imported",
    evidence: Annotated[
        str | None,
        typer.Option("--evidence", metavar="TEXT", help="What proves it; else the file's name."),
    ] = None,
    column: list_options.Column = None,
    delimiter: list_options.Delimiter = None,
    header_row: list_options.HeaderRow = None,
    encoding: list_options.Encoding = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read the file alone.")] = False,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Opt the numbers of a file out of marketing; it is read as a campaign's list is.

    Bad rows are left out, and told. The command may be interrupted and repeated.
    """
    from worker.intake.lists.options import ListOptions

    list_reading = ListOptions(column, delimiter, header_row, encoding)
    with open_session(config) as session:
        from worker.feedback import opt_out_import

        origin = _origin(why, evidence or file.name, OptOutSource.IMPORT)
        try:
            with file.open("rb") as opened:
                imported = opt_out_import.import_file(
                    session.engine, opened, origin, list_reading, act=not dry_run
                )
        except OSError as error:
            raise Refused([Problem("FILE", f"{file}: {error.strerror}")]) from None
    if as_json:
        output.print_json(opt_out_report.import_json(imported) | {"dry_run": dry_run})
        return
    list_options.print_facts(imported.facts)
    opt_out_report.print_import(imported, dry_run=dry_run)


def export(
    *,
    target: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Else standard output.")
    ] = None,
    scope: Annotated[
        OptOutScope | None, typer.Option("--scope", help="Only those that stop this.")
    ] = None,
    config: options.Config = None,
) -> None:
    """Write all opt-outs as CSV, with whole numbers; that it was done, and by whom, is an event."""
    with open_session(config) as session:
        from worker.feedback import opt_out_list

        scopes = list(OptOutScope) if scope is None else [scope]
        parts = opt_out_list.export(session.engine, scopes, who=operator_name())
        count = opt_out_report.write_csv(parts, target)
    if target is not None:
        output.print_hint(f"{count} opt-out(s) in {target}")


def suggestions(
    *,
    limit: options.Limit = 100,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List numbers that vendors' reports call blacklisted and that have not opted out here.

    Nothing is stopped by that: `xinshi opt-out add NUMBER --source vendor --why …` does.
    """
    with open_session(config) as session:
        from worker.store.db import database
        from worker.store.feedback import opt_outs

        with database.reading(session.engine) as connection:
            rows = opt_outs.suggestions(connection, None, limit)
    waiting = [row for row in rows if not row.opted_out]
    if as_json:
        output.print_json([opt_out_report.line_json(row) for row in waiting])
    elif waiting:
        opt_out_report.print_suggestions(waiting)
    else:
        output.print_hint("no vendor's report calls a number blacklisted that has not opted out")


def _origin(
    why: str, evidence: str | None, source: OptOutSource = OptOutSource.PERSON
) -> "OptOutOrigin":
    from worker.store.feedback.opt_outs import OptOutOrigin

    return OptOutOrigin(source, operator_name(), why, evidence)
