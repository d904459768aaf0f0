"""Print a campaign: what it is, how many of its messages are in which state, what it waits for."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from producer.cli import output
from producer.waiting import wait_reasons

if TYPE_CHECKING:
    from producer.waiting.wait_reasons import WaitCause
    from worker.store.intake.campaign_progress import CampaignProgress


def print_campaign(
    campaign: "CampaignProgress",
    *,
    as_json: bool,
    waits_for: "Sequence[WaitCause] | None" = None,
    **extra_json: Any,
) -> None:
    """Print a campaign and what it waits for; `extra_json` is added to its JSON."""
    from worker.intake import lookup

    if as_json:
        waits = {} if waits_for is None else {"waits_for": wait_reasons.as_json(waits_for)}
        output.print_json(lookup.campaign_json(campaign) | waits | extra_json)
        return
    output.print_facts(
        {
            "campaign": campaign.id,
            "name": campaign.name,
            "state": campaign.state.value,
            "class": campaign.message_class,
            "account": campaign.account,
            "messages": campaign.total,
            "left out": counts_line(campaign.left_out),
            "text": campaign.text,
            **{f"  row {sample['row']}": sample["text"] for sample in campaign.samples},
            "segments": segments_line(campaign.segments),
            "retry of": campaign.retry_of,
            "waits": wait_reasons.sentences(waits_for or ()),
            "not before": campaign.not_before,
            "valid until": campaign.not_after,
            "created": campaign.created_at,
            "started": campaign.started_at,
            "finished": campaign.finished_at,
        }
        | {f"  {state}": count for state, count in campaign.states.items()}
    )


def segments_line(texts_by_segments: Mapping[str, int]) -> str:
    """Write how many texts have how many segments, and the sum: `1: 19,400 · 2: 600 = 20,600`."""
    if not texts_by_segments:
        return ""
    total = sum(int(number) * texts for number, texts in texts_by_segments.items())
    parts = " · ".join(f"{number}: {texts:,}" for number, texts in texts_by_segments.items())
    return f"{parts} = {total:,}"


def counts_line(count_by_name: Mapping[str, int]) -> str:
    """Write counts in one line, without those that are zero: `2 invalid, 1 repeated`."""
    return ", ".join(f"{count} {name}" for name, count in count_by_name.items() if count)
