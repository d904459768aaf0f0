"""Take due work to a recorded outcome: claim, choose an account, submit, record.

A claim and its write-ahead are one transaction, the call comes after its commit, and outcomes are
recorded under the fence.
"""
