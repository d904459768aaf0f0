"""Makes the contexts of TLS, and says in words why a server was not trusted."""

import ssl

import httpx

from worker.gateways.egress import DIRECT, Egress

#: The codes of OpenSSL (`x509_vfy.h`) for a certificate whose signer nobody trusts.
_UNTRUSTED = {2, 18, 19, 20, 21, 24}
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = {62, 64}
#: How the words begin for a certificate that is for other names.
OTHER_NAME = "its certificate is for another name than"
_OLD_PROTOCOL = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}


class TlsContexts:
    """The contexts of the ways out that a transport goes, each made once.

    `trust` replaces the public authorities, where an account names none of its own.
    """

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._usual = trust
        self._by_egress: dict[Egress, ssl.SSLContext] = {}

    def of(self, egress: Egress) -> ssl.SSLContext:
        """Return the context for calls that go by `egress`."""
        if egress.trusts_as_usual:
            if self._usual is None:
                self._usual = make_ssl_context()
            return self._usual
        context = self._by_egress.get(egress)
        if context is None:
            context = self._by_egress[egress] = make_ssl_context(egress)
        return context


def make_ssl_context(egress: Egress = DIRECT) -> ssl.SSLContext:
    """Return a context that trusts the account's own authorities, else certifi's as httpx does.

    Names are always checked, and certificates always asked for.
    """
    if egress.authorities is None:
        # Without the environment: an authority that the shell names is not trusted.
        context = httpx.create_ssl_context(trust_env=False)
    else:
        context = ssl.create_default_context(cadata=egress.authorities)
    if egress.tls_minimum == "1.3":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    return context


def failure_words(error: BaseException | None) -> str:
    """Return why a handshake failed, and what to do; "" when it was no failure of TLS."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return _certificate_words(error)
        if isinstance(error, ssl.SSLError):
            return _protocol_words(error)
        error = error.__cause__ or error.__context__
    return ""


def _certificate_words(error: ssl.SSLCertVerificationError) -> str:
    code = getattr(error, "verify_code", None)
    if code in _UNTRUSTED:
        return "its certificate is signed by nobody that is trusted: set ca_file"
    if code in _OTHER_NAME:
        name = error.verify_message.partition("'")[2].rstrip("'.")
        return f"{OTHER_NAME} {name}: set server_name"
    if code == _EXPIRED:
        return "its certificate has expired"
    if code == _NOT_YET_VALID:
        return "its certificate is not valid yet: look at this machine's clock"
    return f"its certificate is refused: {getattr(error, 'verify_message', '')}"


def _protocol_words(error: ssl.SSLError) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason in _OLD_PROTOCOL:
        return "it speaks another version of TLS than tls_minimum allows"
    if reason in _NO_TLS:
        return "it does not speak TLS: is its address http://?"
    return reason.lower().replace("_", " ")
