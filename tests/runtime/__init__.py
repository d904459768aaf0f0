"""Laws of processes, ticks and what they say of themselves."""
