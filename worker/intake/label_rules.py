"""Check the words by which an application knows a request: its sender, its key, its metadata."""

import json
from collections.abc import Mapping

from worker.domain.errors import Problem

MAX_KEY_LENGTH = 200
MAX_SENDER_LENGTH = 64
MAX_METADATA_ENTRIES = 16
#: Of all names and values, as JSON in UTF-8.
MAX_METADATA_BYTES = 1024


def label_problems(
    sender: str, key: str | None, metadata: Mapping[str, str] | None
) -> list[Problem]:
    """Return what is wrong with a request's labels; [] when they can be kept."""
    problems = []
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH):
        problems.append(Problem("key", f"has to have 1 to {MAX_KEY_LENGTH} characters"))
    elif key is not None and key != key.strip():
        problems.append(Problem("key", "begins or ends with a blank"))
    if len(sender) > MAX_SENDER_LENGTH:
        problems.append(Problem("sender", f"has more than {MAX_SENDER_LENGTH} characters"))
    return problems + (_metadata_problems(metadata) if metadata else [])


def _metadata_problems(metadata: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong with metadata; no name or value of it is repeated."""
    texts = [text for entry in metadata.items() for text in entry]
    if not all(isinstance(text, str) for text in texts):
        return [Problem("metadata", "has a name or a value that is no text")]
    problems = []
    if len(metadata) > MAX_METADATA_ENTRIES:
        what = f"has {len(metadata)} entries and may have {MAX_METADATA_ENTRIES}"
        problems.append(Problem("metadata", what))
    if not all(map(_is_storable, texts)):
        problems.append(Problem("metadata", "has a character that no database keeps, as NUL"))
    elif len(json.dumps(dict(metadata), ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        what = f"is larger than {MAX_METADATA_BYTES} bytes of JSON, names and values together"
        problems.append(Problem("metadata", what))
    return problems


def _is_storable(text: str) -> bool:
    """Tell whether each database keeps a text: without NUL and halves of characters."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
