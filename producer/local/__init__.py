"""A machine of one's own: everything in one command, with a server for the broker built in."""
