"""What is taken in: one text, a list, a campaign out of a file; and looked up again.

Everything is checked before anything is written, and a call that returned is stored.
"""
