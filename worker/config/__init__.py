"""What an operator writes: the configuration read, checked and explained, and who an account is."""
