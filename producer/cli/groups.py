"""Define the groups that several command modules add their commands to."""

import typer

from producer.cli import options
from producer.cli.value_names import NamedValuesGroup

account_group = typer.Typer(
    cls=NamedValuesGroup,
    name="account",
    help="One account: hold it, release it, change its password.",
    no_args_is_help=True,
    epilog=options.example_lines(
        'xinshi account hold bulk --why "contract under review"', "xinshi account release bulk"
    ),
)

opt_out_group = typer.Typer(
    cls=NamedValuesGroup,
    name="opt-out",
    help="Opt numbers out, and in again; see who said so; decide on unclear replies.",
    no_args_is_help=True,
    epilog=options.example_lines(
        'xinshi opt-out add 13812345678 --why "asked by telephone"',
        "xinshi opt-out show 13812345678",
        "xinshi opt-out import unsubscribed.csv",
        "xinshi opt-out accept 17",
    ),
)

campaign_group = typer.Typer(
    cls=NamedValuesGroup,
    name="campaign",
    help="Campaigns: one text to many numbers, with one progress.",
    no_args_is_help=True,
    epilog=options.example_lines(
        'xinshi campaign create --text "【Shop】Dear {name} …" --recipients customers.csv',
        "xinshi campaign show 17 --watch",
        "xinshi campaign export 17 --output result.csv",
    ),
)
