"""Pure decisions: which account, when again, how fast, how much, which page next.

Nothing here reads a clock, a file, a database or the network: what is known comes in as values.
"""
