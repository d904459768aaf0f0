"""End the doubt about unknown submissions, and check that what was promised is true.

An `unknown` ends by a sent counter, a repeated reference or a person; what may have been sent since
a backup was made is put aside; the invariants and a ledger show whether the promise holds.
"""
