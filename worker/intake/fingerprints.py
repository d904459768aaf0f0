"""Tell whether two requests are the same one, by a hash of all that has to be equal in them."""

import hashlib
import json
from collections.abc import Sequence

from worker.gateways.base import Content
from worker.intake.enqueue_request import EnqueueRequest

#: `json.dumps` would make one for each call.
_FINGERPRINT_ENCODER = json.JSONEncoder(sort_keys=True)


def of_request(request: EnqueueRequest, content: Content, msisdns: Sequence[str]) -> str:
    """Return a hash of all that has to be equal in two requests for them to be the same one."""
    # A registered template may have got another version since: its key and its values are asked.
    is_registered = request.template is not None and content.template is None
    identity = {
        "to": list(msisdns),
        "text": "" if is_registered else content.text,
        "class": request.message_class.value,
        "account": request.account,
        "not_before": request.not_before and request.not_before.timestamp(),
        "not_after": request.not_after and request.not_after.timestamp(),
        "extension": request.extension,
        "template": request.template,
        "variables": dict(content.variables),
        "options": {name: str(value) for name, value in content.options.items()},
    }
    if request.callback_url is not None:
        identity["callback_url"] = request.callback_url
    if request.metadata:
        identity["metadata"] = dict(request.metadata)
    return hashlib.sha256(_FINGERPRINT_ENCODER.encode(identity).encode()).hexdigest()
