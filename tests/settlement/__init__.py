"""Laws of how doubts end."""
