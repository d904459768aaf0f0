"""Speak to a database: engines and transactions, its clock, SQLite's lock, dialects."""
