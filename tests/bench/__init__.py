"""Benchmarks: `python -m tests.bench B1`, or `all`; each beside a baseline of the same run.

`docs/performance.md` says what each of them measures and how to read the figures.
"""
