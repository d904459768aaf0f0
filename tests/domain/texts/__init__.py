"""Laws of what is found in texts and replies."""
