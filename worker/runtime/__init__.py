"""Processes: a lane for each class, the ticker, the callback sender, and what rings them.

The broker is a doorbell; what a process does it finds in the database.
"""
