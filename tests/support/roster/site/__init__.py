"""Installed by `tests.support.roster`."""
