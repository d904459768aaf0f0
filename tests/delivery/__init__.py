"""Laws of the way from a claim to a recorded outcome."""
