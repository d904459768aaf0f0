"""What an operator configures: read, checked, its faults explained; fingerprints of the logins."""
