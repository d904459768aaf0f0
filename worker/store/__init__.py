"""Every statement that Xinshi sends to the database.

One module for each group of tables. Functions take a connection whose transaction belongs to the
caller; each write that changes a state is guarded by the state that it leaves.
"""
