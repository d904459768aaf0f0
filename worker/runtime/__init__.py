"""Runs worker processes: a lane for each class, the ticker, the callback sender, and the doorbells.

The broker is a doorbell; what a process does it finds in the database.
"""
