"""What ends a doubt, and what proves the promise.

An `unknown` ends by a counter, a repeated reference or a person; a restored backup is put aside;
the invariants and a ledger say whether what was promised is true.
"""
