"""Lists of recipients in files."""
