"""Print what a campaign would be: its texts, who is left out, and which accounts can carry it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from producer.cli import failures, list_options, output
from producer.cli.campaign_report import counts_line, segments_line
from producer.cli.session import Session
from worker.intake.lists.options import ListOptions
from worker.intake.value_rules import OddValue

if TYPE_CHECKING:
    from worker.intake.campaign_preview import CampaignPreview
    from worker.intake.enqueue_request import EnqueueRequest


def run(
    session: Session,
    file: BinaryIO,
    request: "EnqueueRequest",
    list_reading: ListOptions,
    allowed: Sequence[OddValue],
    *,
    skip_bad: bool,
    as_json: bool,
) -> None:
    """Print what the campaign would be; nothing is stored.

    The exit code is 1 when a bad row would keep all of it from being sent.
    """
    from worker.intake import campaign_preview
    from worker.intake.lists import reader

    with (
        reader.open_list(file, request.text, list_reading, allowed) as recipient_list,
        output.progress_bar("reading", recipient_list.line_count) as show_progress,
    ):
        preview = campaign_preview.preview(
            session.engine,
            session.settings,
            request,
            recipient_list.rows,
            given_names=recipient_list.facts.columns,
            allowed=allowed,
            on_progress=show_progress,
        )
    preview.loaded.file = recipient_list.facts
    preview_fields = campaign_preview.preview_json(
        session.engine, session.settings, request, preview
    )
    warnings_json = {"warnings": output.problems_json(preview.loaded.warnings)}
    if as_json:
        output.print_json(preview_fields | warnings_json)
    else:
        _print_preview(preview_fields, preview)
    list_options.print_bad_rows(preview.loaded)
    if preview.loaded.invalid and not skip_bad:
        output.print_hint("nothing would be sent before bad rows are mended, or with --skip-bad")
        raise typer.Exit(failures.FAILED)


def _print_preview(preview_fields: Mapping[str, Any], preview: "CampaignPreview") -> None:
    """Print what a campaign would be; its bad rows are printed after it."""
    output.print_warnings(preview.loaded.warnings)
    facts = {
        "messages": preview_fields["total"],
        "left out": counts_line(preview_fields["left_out"]),
        "text": preview_fields["text"],
        **{f"  row {sample['row']}": sample["text"] for sample in preview_fields["samples"]},
        "segments": segments_line(preview_fields["segments"]),
    }
    output.print_facts(facts)
    rows = [
        (account["name"], account["gateway"], "; ".join(account["problems"]) or "ok")
        for account in preview_fields["accounts"]
    ]
    output.print_table(("account", "gateway", "can carry it"), rows)
    list_options.print_facts(preview.loaded.file)
