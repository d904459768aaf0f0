"""Define the tables, and the view for readers of SQL.

Only the store imports them, and what proves the promise (`worker.settlement`).
"""
