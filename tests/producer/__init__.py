"""Laws of the Python interface."""
