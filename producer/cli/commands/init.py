"""`xinshi init`: write a first configuration, and say what comes next."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from producer.cli import failures, options, output
from worker.gateways.account_settings import AccountSettings

FILE = Path("xinshi.toml")
_HEAD = """\
# Xinshi's configuration; docs/configuration.md has all settings.
database_url = "sqlite:///xinshi.db"
broker_url = "embedded"

[accounts.main]
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi init", "xinshi init GATEWAY")(init)


def init(
    gateway: Annotated[
        str | None,
        typer.Argument(metavar="GATEWAY", help="Which gateway's account it is for; else asked."),
    ] = None,
) -> None:
    """Write xinshi.toml for one account at a gateway, and say the next two commands.

    Its password comes from the environment and stands in no file. A file that is there is left as
    it is.
    """
    from worker.gateways.registry import gateway_classes

    if FILE.exists():
        output.print_error(
            f"{FILE} is there already and is left as it is; edit it, or move it away"
        )
        raise typer.Exit(failures.USAGE)
    names = sorted(gateway_classes())
    if gateway is None and output.is_attended():
        gateway = typer.prompt(f"Which gateway? ({', '.join(names)})", err=True)
    if gateway not in names:
        given = f"there is no gateway {gateway}; " if gateway else ""
        output.print_error(f"{given}name one: xinshi init {'|'.join(names)}")
        raise typer.Exit(failures.USAGE)
    lines, variables = _account_lines(gateway, gateway_classes()[gateway].Settings)
    FILE.write_text(_HEAD + "".join(f"{line}\n" for line in lines), "utf-8")
    output.print_line(f"wrote {FILE}; put in what stands there as …, and then:")
    for variable in variables:
        output.print_line(f'  export {variable}="…"')
    output.print_line("  xinshi up")
    output.print_line('  xinshi send --to YOUR_NUMBER --text "【…】…" --wait 30')


def _account_lines(gateway: str, schema: type[AccountSettings]) -> tuple[list[str], list[str]]:
    """Return the lines of an account at a gateway, and the variables that its secrets come from."""
    lines, variables = [f'gateway = "{gateway}"'], []
    for name, field in schema.model_fields.items():
        if not field.is_required() or name == "gateway":
            continue
        if field.annotation is SecretStr:
            variable = f"{gateway}_{name}".upper()
            variables.append(variable)
            lines.append(f'{name} = {{ env = "{variable}" }}')
        else:
            lines.append(f'{name} = "…"')
    return lines, variables
