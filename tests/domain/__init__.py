"""Laws of numbers, texts and spans."""
