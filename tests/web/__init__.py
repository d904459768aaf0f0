"""The web process, by what it answers to real clients and what is in the database afterwards."""
