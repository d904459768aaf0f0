"""Installs the tests' own gateway in a process that has this folder in its path."""

from tests.support import roster

roster.install()
