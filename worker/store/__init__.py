"""The statements that Xinshi sends to the database.

There is one module for each group of tables. Functions take a connection whose transaction belongs
to the caller; each write that changes a state is guarded by the state that it leaves.
"""
