"""Provides accounts that fit the sandbox, as a piece of configuration to begin with."""

from importlib import resources


def samples(base_url: str) -> str:
    """Return TOML with one account for each gateway at the sandbox that listens at `base_url`."""
    text = resources.files("worker.sandbox").joinpath("samples.toml").read_text("utf-8")
    return text.partition("\n\n")[2].replace("{base_url}", base_url)
