"""Ask whether a campaign that was loaded is sent."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from producer.cli import failures, output
from producer.cli.session import Session, operator_name
from worker.domain.enums import CampaignState, MessageClass

if TYPE_CHECKING:
    from worker.intake.campaign_loader import Loaded


def ask_and_start(session: Session, loaded: "Loaded") -> None:
    """Ask whether a campaign that is ready is sent, and start it; exit with 1 where it is not."""
    from worker.intake import campaigns

    campaign = campaigns.show(session.engine, loaded.id)
    if campaign.state is not CampaignState.READY or not campaign.total:
        return
    if not _is_wanted(campaign.id, campaign.total, campaign.segments):
        raise typer.Exit(failures.FAILED)
    campaigns.run(session.engine, campaign.id, who=operator_name())
    session.ring(MessageClass(campaign.message_class), "started")
    output.print_hint(f"it is on its way: `xinshi campaign show {campaign.id} --watch`")


def _is_wanted(campaign_id: int, total: int, texts_by_segments: Mapping[str, int]) -> bool:
    """Ask at the terminal whether a campaign that is ready is sent; without an answer it is not."""
    segments = sum(int(number) * texts for number, texts in texts_by_segments.items())
    billed = f" ({segments:,} segments)" if segments else ""
    advice = _kept_advice(campaign_id)
    try:
        wanted = typer.confirm(f"Send {total:,} texts{billed}?", err=True)
    except typer.Abort:
        output.print_error(f"interrupted; {advice}")
        raise typer.Exit(failures.INTERRUPTED) from None
    if not wanted:
        output.print_hint(advice)
    return wanted


def _kept_advice(campaign_id: int) -> str:
    """Return what can be done with a campaign that was not started."""
    return (
        f"nothing was sent: `xinshi campaign resume {campaign_id}` sends it,"
        f" `xinshi campaign cancel {campaign_id}` drops it"
    )
