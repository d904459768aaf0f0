"""Pace: the throttle in Redis, its stand-in in the database, and rates learned from refusals."""
