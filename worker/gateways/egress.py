"""Describes how an account's requests leave: by which proxy, and whom they trust at the other end.

It is made when the configuration is read, from the account's own settings and never from the
environment. The transport does what it says.
"""

import base64
import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import ValidationInfo

#: The oldest version of TLS that is spoken.
TlsVersion = Literal["1.2", "1.3"]
_PROXY_FORM = 'write it as "http://host:port" or "http://user:password@host:port"'
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that opens tunnels; `authorization` is a secret."""

    host: str
    port: int
    #: The value of `Proxy-Authorization`; empty when the proxy wants no login.
    authorization: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, eq=False)
class Egress:
    """The way out of one account. Two accounts share connections only if they share this object."""

    proxy: Proxy | None = None
    #: The certificates of the authorities that are trusted, as PEM; None trusts the public ones.
    authorities: str | None = field(default=None, repr=False)
    #: The name that is asked for, and that the certificate has to bear; None means the address's.
    server_name: str | None = None
    tls_minimum: TlsVersion = "1.2"

    @property
    def trusts_as_usual(self) -> bool:
        """Whether nothing about TLS was set but the name."""
        return self.authorities is None and self.tls_minimum == "1.2"


#: The way out of an account that sets nothing: straight to its gateway.
DIRECT = Egress()


def parse_proxy(url: str) -> Proxy:
    """Read a proxy's address. Raises `ValueError`, which does not repeat it: it is a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or not _is_host(host) or parts.path not in {"", "/"}:
        raise ValueError(_PROXY_FORM)
    if parts.scheme != "http":
        msg = f"is spoken to by http:// only, also for tunnels to https://; {_PROXY_FORM}"
        raise ValueError(msg)
    if parts.query or parts.fragment:
        raise ValueError(_PROXY_FORM)
    return Proxy(host, port, _authorization(parts.username, parts.password))


def _authorization(user: str | None, password: str | None) -> bytes:
    """Return the login as HTTP writes it (RFC 7617); empty without one."""
    if user is None and password is None:
        return b""
    plain_user, plain_password = unquote(user or ""), unquote(password or "")
    if ":" in plain_user or _CONTROL.search(plain_user + plain_password):
        msg = "its user holds a colon, or its login a control character: HTTP cannot carry these"
        raise ValueError(msg)
    login = f"{plain_user}:{plain_password}".encode()
    return b"Basic " + base64.b64encode(login)


def read_authorities(path: Any, info: ValidationInfo) -> str:
    """Return the certificates in a PEM file, or raise `ValueError` saying why there are none.

    A relative path starts at the configuration's own directory, as a secret's does.
    """
    if not isinstance(path, str) or not path:
        msg = 'write the path of a PEM file, as "ca.pem"'
        raise ValueError(msg)
    file = Path((info.context or {}).get("directory", ".")) / Path(path).expanduser()
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not a text; convert it to PEM"
        msg = f"the file {file} cannot be read: {reason}"
        raise ValueError(msg) from None
    _check_authorities(text, file)
    return text


def _check_authorities(text: str, file: Path) -> None:
    """Raise `ValueError` for a text that holds no certificate, or a damaged one."""
    if "-----BEGIN CERTIFICATE-----" not in text:
        msg = f"the file {file} holds no certificate: it has no BEGIN CERTIFICATE"
        raise ValueError(msg)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        msg = f"the file {file} holds a certificate that cannot be read"
        raise ValueError(msg) from None


def check_server_name(name: str) -> str:
    """Return a name that a certificate can bear, or raise `ValueError`."""
    if not _is_host(name):
        msg = "is a bare name or address, as sms.example.com: no scheme, no port"
        raise ValueError(msg)
    return name


def _is_host(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return _NAME.fullmatch(name) is not None
    return True
