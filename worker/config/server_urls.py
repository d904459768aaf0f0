"""Check the addresses of servers when they are read, so that all clients read them alike.

kombu, redis-py and SQLAlchemy each take what is nearly an address for one, and for another one.
Words never repeat an address: it may hold a password.
"""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

#: Addresses of a broker begin so; redis-py calls a socket `unix`.
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps")
REDIS_SCHEMES = ("redis", "rediss", "unix")
DATABASE_BACKENDS = ("sqlite", "postgresql", "mysql", "mariadb")
_ENCODING = "percent-encode user and password: @ is %40, # is %23, / is %2F, ? is %3F, % is %25"
#: What both clients of Redis read in a query, in the spelling that both know.
_TLS_KEYS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_MASTER = re.compile(r"master_name=([\w.-]+)")
_CERTIFICATE_CHECKS = ("required", "optional", "none")


def broker(url: str) -> str:
    """Return a broker's address as all clients read it; raises `ValueError` in words."""
    scheme = url.partition("://")[0]
    if url == "embedded":
        return url
    if scheme not in BROKER_SCHEMES or "://" not in url:
        msg = f'write "embedded", or a URL that begins with {", ".join(BROKER_SCHEMES)}'
        raise ValueError(msg)
    if scheme == "redis+socket":
        return _socket(url)
    if scheme in REDIS_SCHEMES:
        return redis(url)
    addresses, _, query = url.partition("?")
    for address in addresses.split(";"):
        _check_authority(address)
    if scheme == "sentinel" and not _MASTER.fullmatch(query):
        msg = (
            "Sentinel has to be asked for a master: add ?master_name=NAME, behind the last address"
        )
        raise ValueError(msg)
    return url


def sentinel_master(url: str) -> str | None:
    """Return the name of the master that an address of Sentinel ends with; None for others."""
    match = _MASTER.fullmatch(url.partition("?")[2]) if url.startswith("sentinel://") else None
    return match[1] if match else None


def redis(url: str) -> str:
    """Return a Redis server's address as all clients read it; raises `ValueError` in words."""
    if url.partition("://")[0] not in REDIS_SCHEMES or "://" not in url:
        msg = f"write a URL that begins with {', '.join(REDIS_SCHEMES)}"
        raise ValueError(msg)
    if url.startswith("unix://"):
        return url
    if ";" in url:
        msg = "names several servers; name one, or Sentinel's with sentinel://"
        raise ValueError(msg)
    _check_authority(url)
    parts = urlsplit(url)
    if parts.path.strip("/") and not parts.path[1:].isdecimal():
        msg = f"its path has to be the number of a database, as /0; or else {_ENCODING}"
        raise ValueError(msg)
    return parts._replace(query=urlencode(_tls_query(parts.scheme, parts.query))).geturl()


def database(url: str) -> str:
    """Return a database's address; raises `ValueError` in words."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] not in DATABASE_BACKENDS or "://" not in url:
        msg = "write sqlite:///FILE, postgresql+psycopg://… or mysql+pymysql://…"
        raise ValueError(msg)
    if not scheme.startswith("sqlite") and rest.partition("?")[0].count("@") > 1:
        raise ValueError(_ENCODING)
    return url


def client_url(url: str) -> str:
    """Return the address of a broker that is a Redis as redis-py writes it."""
    scheme, _, rest = url.partition("://")
    if scheme != "redis+socket":
        return url
    return f"unix://{rest.replace('?virtual_host=', '?db=')}"


def _socket(url: str) -> str:
    if not re.fullmatch(r"[^?]+(\?virtual_host=\d+)?", url):
        msg = "a socket's address takes a database alone, as ?virtual_host=1"
        raise ValueError(msg)
    return url


def _check_authority(url: str) -> None:
    """Raise `ValueError` for an address whose password is taken for a part of it."""
    parts = urlsplit(url)
    try:
        has_port = parts.port is not None or not parts.netloc.rpartition("@")[2].endswith(":")
    except ValueError:
        has_port = False
    is_encoded = parts.netloc.count("@") <= 1 and "@" not in f"{parts.path}{parts.query}"
    if not (has_port and is_encoded) or "#" in url or any(map(str.isspace, url)):
        msg = f"its host and port cannot be told; {_ENCODING}"
        raise ValueError(msg)


def _tls_query(scheme: str, query: str) -> dict[str, str]:
    """Return a query in the spelling of both clients; one of them would not look at certificates.

    Raises `ValueError` for what one of them does not know, or reads in another way.
    """
    values = dict(parse_qsl(query, keep_blank_values=True))
    for key in values:
        if key not in _TLS_KEYS or scheme != "rediss":
            keys = ", ".join(_TLS_KEYS)
            msg = (
                f"{key} cannot stand in its query: a database is its path (/3); rediss takes {keys}"
            )
            raise ValueError(msg)
    if scheme != "rediss":
        return {}
    check = values.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if check not in _CERTIFICATE_CHECKS:
        msg = f"ssl_cert_reqs has to be one of {', '.join(_CERTIFICATE_CHECKS)}"
        raise ValueError(msg)
    return {**values, "ssl_cert_reqs": check}
