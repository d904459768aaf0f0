"""What an integrator does with a client that openapi-python-client made of our description.

It runs in an environment of its own, with the client in its folder: `python generated_client.py URL
KEY FILE`. It sends, lists and uploads, prints one JSON object, and then reads callbacks, one JSON
object a line with `secret`, `headers` and `body`, from its standard input.
"""

import json
import sys
from io import BytesIO
from pathlib import Path

from standardwebhooks import Webhook
from xinshi_client import AuthenticatedClient
from xinshi_client.api.campaigns import load_campaign, show_campaign
from xinshi_client.api.messages import list_messages, send_message, show_message
from xinshi_client.models import (
    Accepted,
    CampaignUpload,
    DryRun,
    MessagesUpdated,
    Metadata,
    NewMessages,
    ProblemDocument,
    Variables,
)
from xinshi_client.types import File


def main(url: str, key: str, file: str) -> None:
    """Send, list and upload, print what came of it, and verify callbacks."""
    client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)
    body = NewMessages(
        to="13800138000",
        text="【信使】{name}您好",
        variables=Variables.from_dict({"name": "小明"}),
        metadata=Metadata.from_dict({"order": "1001"}),
    )
    dry = send_message.sync(client=client, body=body, dry_run=True)
    sent = send_message.sync(client=client, body=body, idempotency_key="order-1001")
    assert isinstance(dry, DryRun)
    assert isinstance(sent, Accepted)
    refused = send_message.sync(client=client, body=NewMessages(to="138", text="x"))
    assert isinstance(refused, ProblemDocument)
    message = show_message.sync(sent.ids[0], client=client)
    page = list_messages.sync(client=client, to="13800138000")
    upload = CampaignUpload(
        name="spring",
        text="【信使】{name}，春装上新，回T退订",
        recipients=File(BytesIO(Path(file).read_bytes()), "customers.csv", "text/csv"),
    )
    loaded = load_campaign.sync(client=client, body=upload, idempotency_key="spring")
    campaign = show_campaign.sync(loaded.id, client=client)
    facts = {
        "messages": dry.messages,
        "refused": refused.errors[0].field,
        "listed": [listed.id for listed in page.messages] == sent.ids,
        "year": message.created_at.year,
        "metadata": message.metadata.to_dict(),
        "total": campaign.total,
    }
    say(facts)
    for line in sys.stdin:
        told = json.loads(line)
        event = MessagesUpdated.from_dict(
            Webhook(told["secret"]).verify(told["body"].encode(), told["headers"])
        )
        say([update.to for update in event.data.messages])


def say(facts: object) -> None:
    """Print facts as a line of JSON."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
