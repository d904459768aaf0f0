"""What every gateway promises, and what was recorded of each."""
