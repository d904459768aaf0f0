"""What is wrong with a text, and what a reply means: pure functions over characters and words."""
