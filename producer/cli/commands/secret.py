"""`xinshi secret`: print a secret that nobody can guess."""

import typer

from producer.cli import options, output


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi secret", "xinshi secret > callback_secret")(secret)


def secret() -> None:
    """Print a new secret: 43 letters, digits, - and _, made by chance.

    It is for callback_secrets, web.session_secret and an account's push_tokens. It is stored
    nowhere: put it into the environment, or into a file that nobody else may read.
    """
    from worker.domain import secret_fields

    output.print_line(secret_fields.make_secret())
