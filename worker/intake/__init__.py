"""Take messages in, one by one, as lists or as campaigns from a file, and look them up again.

Everything is checked before anything is written, and when a call returns its messages are stored.
"""
