"""Laws of the store, on all three databases."""
