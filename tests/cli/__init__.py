"""What the command line promises, shown by running it."""
