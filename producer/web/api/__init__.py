"""The HTTP API: one module for each noun, each with a `router`; bodies are in `schemas`."""
