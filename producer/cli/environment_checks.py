"""Warn of what the environment says about the network, and that nothing here heeds."""

from collections.abc import Iterator, Mapping

from producer.cli.doctor_checks import Check
from worker.config.settings import Settings

#: Variables by which other programs find a proxy, in either case.
_PROXY_VARIABLES = {"http_proxy", "https_proxy", "all_proxy"}
#: Variables by which other programs find authorities.
_TRUST_VARIABLES = {"ssl_cert_file", "ssl_cert_dir", "requests_ca_bundle", "curl_ca_bundle"}


def run_checks(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """Return a warning for each variable that is set, while an account does without its own."""
    by_account = [account.settings for account in settings.accounts.values()]
    unused = set()
    if any(account.proxy is None for account in by_account):
        unused |= _PROXY_VARIABLES
    if any(account.ca_file is None for account in by_account):
        unused |= _TRUST_VARIABLES
    for variable in sorted(environ):
        if variable.lower() in unused and environ[variable]:
            yield _warning(variable)


def _warning(variable: str) -> Check:
    if variable.lower() in _PROXY_VARIABLES:
        problem = "is set in the environment, and no call to a gateway goes by it"
        advice = 'where nothing else gets out, set proxy = "http://host:port" in [accounts.NAME]'
    else:
        problem = "is set in the environment, and no gateway is trusted because of it"
        advice = "where a gateway's authority is your own, set ca_file in [accounts.NAME]"
    return Check(variable, problem, advice, is_warning=True)
