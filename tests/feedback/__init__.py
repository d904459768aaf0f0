"""Laws of what comes back: reports, replies, callbacks."""
