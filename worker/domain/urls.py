"""Check the URLs of applications as they are written, without a look-up. Pure."""

from urllib.parse import urlsplit


def problem(url: str) -> str | None:
    """Return why nothing can be posted to a URL as it is written; None when it can be."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError:
        return "is no URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_valid:
        return "write it with its scheme and host, as https://app.example.com/xinshi"
    if parts.username or parts.password or parts.fragment:
        return "leave out the user, the password and the fragment; events are signed instead"
    return None
