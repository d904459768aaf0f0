"""Laws of what is taken in."""
